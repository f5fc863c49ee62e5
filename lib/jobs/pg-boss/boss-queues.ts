import type { EntityManager } from 'typeorm';
import { JobsRefusedError } from '../../errors/jobs.errors.js';
import { sendSql } from '../../unit-of-work/typeorm/send-sql.js';
import type { NewJob } from '../job-engine.js';
import type { JobHandler } from '../job-handlers.js';
import { byName, isTen, queueOptions } from './boss.js';
import type { Boss, Db } from './boss.js';

// As long as there are dates: its keys are good for so many seconds from 1970 on.
const FOR_EVER = 2 ** 31 - 1;

/** The queues of pg-boss, one for each job, and the jobs that are written to them. */
export class BossQueues {
  readonly #known = new Set<string>();

  constructor(private readonly boss: Boss) {}

  /** The queues that were seen. */
  get names(): readonly string[] {
    return [...this.#known];
  }

  /** Makes the queue of the handler, where it is missing. */
  async create(handler: JobHandler): Promise<void> {
    await this.boss.createQueue(handler.name, queueOptions(handler));
    this.#known.add(handler.name);
  }

  /** As `JobEngine.write()`. */
  async write(manager: EntityManager, jobs: readonly NewJob[]): Promise<void> {
    for (const name of byName(jobs).keys()) await this.#assertExists(name);
    const inserted = new Set<unknown>();
    const executeSql: Db['executeSql'] = async (text, values = []) => {
      // Version 10 has no way to tell which jobs it took.
      const sql = isTen(this.boss) ? `${text} RETURNING id` : text;
      const rows = await sendSql(manager, sql, values);
      for (const { id } of rows) inserted.add(id);
      return { rows };
    };
    const options = { db: { executeSql }, returnId: true };
    if (isTen(this.boss)) await this.boss.insert(jobs.map(insertion), options);
    else for (const [name, those] of byName(jobs)) await this.boss.insert(name, those.map(insertion), options);
    // One whose key is there already is left out, as it should be.
    const lost = jobs.find(({ id, key }) => key === null && !inserted.has(id));
    if (!lost) return;
    this.#known.delete(lost.name);
    throw new JobsRefusedError(`pg-boss did not take the job "${lost.name}". See whether its queue is there`);
  }

  /** pg-boss 10 passes over jobs of queues that are not there, without a word. */
  async #assertExists(name: string): Promise<void> {
    if (this.#known.has(name)) return;
    if (!(await this.boss.getQueue(name)))
      throw new JobsRefusedError(
        `pg-boss has no queue "${name}". An application with its handler makes it at boot: start that first, or call boss.createQueue('${name}')`,
      );
    this.#known.add(name);
  }
}

function insertion({ id, name, key, data, dueAt, createdAt, handler }: NewJob): object {
  return {
    id,
    name,
    data,
    ...(handler && queueOptions(handler)),
    ...(dueAt > createdAt && { startAfter: dueAt.toISOString() }),
    ...(key !== null && { singletonKey: key, singletonSeconds: FOR_EVER }),
  };
}
