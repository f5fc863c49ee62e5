import type { FailedJob } from '../job-engine.js';
import type { JobHandler } from '../job-handlers.js';
import { byName, isTen, SPARE_ATTEMPTS } from './boss.js';
import type { Boss, Fetched } from './boss.js';

/** The jobs that were given up, in the tables of pg-boss. */
export class BossFailures {
  constructor(
    private readonly boss: Boss,
    private readonly schema: string,
  ) {}

  /** Gives up a job that this process has, so that pg-boss does not let it run again. */
  async giveUp(name: string, { id, retryCount, retryLimit }: Fetched, error: unknown): Promise<void> {
    const last = Math.min(retryCount, Math.max(retryLimit - SPARE_ATTEMPTS, 0));
    const mine = `name = $1 AND id = $2::uuid AND state = 'active' AND retry_count = $3`;
    await this.boss
      .getDb()
      .executeSql(`UPDATE ${this.schema}.job SET retry_count = $4, retry_limit = $4 WHERE ${mine}`, [
        name,
        id,
        retryCount,
        last,
      ]);
    await this.boss.fail(name, isTen(this.boss) ? id : { id, retryCount: last }, error);
  }

  /** The failed jobs of these queues, the last one first. */
  async list(queues: readonly string[], limit: number): Promise<FailedJob[]> {
    return this.#rows(queues, 'TRUE', limit);
  }

  /** Lets those with these ids run again, as often as their handlers say; gives how many there were. */
  async retry(ids: readonly string[], queues: readonly string[], handlers: ReadonlyMap<string, JobHandler>) {
    const rows = await this.#rows(queues, 'id = ANY($3::uuid[])', ids.length, ids);
    for (const [name, those] of byName(rows)) {
      const again = those.map(({ id }) => id);
      // pg-boss itself adds one more attempt.
      const more = (handlers.get(name)?.attempts ?? 1) - 1 + SPARE_ATTEMPTS;
      const theirs = `name = $1 AND id = ANY($2::uuid[]) AND state = 'failed'`;
      await this.boss
        .getDb()
        .executeSql(`UPDATE ${this.schema}.job SET retry_limit = retry_count + $3 WHERE ${theirs}`, [
          name,
          again,
          more,
        ]);
      await this.boss.retry(name, again);
    }
    return rows.length;
  }

  async #rows(
    queues: readonly string[],
    condition: string,
    limit: number,
    ...more: readonly unknown[]
  ): Promise<FailedJob[]> {
    const columns =
      `id, name, data->'payload' AS payload, retry_count + 1 AS attempts, ` +
      `output->>'message' AS error, completed_on AS "failedAt"`;
    const { rows } = await this.boss
      .getDb()
      .executeSql(
        `SELECT ${columns} FROM ${this.schema}.job WHERE state = 'failed' AND name = ANY($1::text[]) AND ${condition} ` +
          'ORDER BY completed_on DESC, id DESC LIMIT $2',
        [[...queues], limit, ...more],
      );
    return rows as FailedJob[];
  }
}
