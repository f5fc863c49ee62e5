import type { EntityManager } from 'typeorm';
import { JobsRefusedError } from '../../errors/jobs.errors.js';
import { sendSql } from '../../unit-of-work/typeorm/send-sql.js';
import type { NewJob } from '../job-engine.js';
import type { JobHandler } from '../job-handlers.js';
import { byName, isTen, queueOptions } from './boss.js';
import type { Boss, Db, QueueOptions } from './boss.js';

// The longest period that pg-boss can store. Periods count from 1970, so the first one ends on 19 January 2038. Until
// then, a key is unique for as long as pg-boss keeps its job.
const FOR_EVER = 2 ** 31 - 1;

/** The queues of pg-boss, one for each job name. Writes jobs to them. */
export class BossQueues {
  /** The queues that are known to exist, with their options. */
  readonly #known = new Map<string, QueueOptions>();

  constructor(private readonly boss: Boss) {}

  /** The names of these queues. */
  get names(): readonly string[] {
    return [...this.#known.keys()];
  }

  /** Creates the queue of the handler if it is missing. */
  async create(handler: JobHandler): Promise<void> {
    await this.boss.createQueue(handler.name, queueOptions(handler));
    await this.#see(handler.name);
  }

  /** See `JobEngine.write()`. */
  async write(manager: EntityManager, jobs: readonly NewJob[]): Promise<void> {
    for (const name of byName(jobs).keys()) await this.#see(name);
    const inserted = new Set<unknown>();
    const executeSql: Db['executeSql'] = async (text, values = []) => {
      // Version 10 cannot report which jobs it inserted.
      const sql = isTen(this.boss) ? `${text} RETURNING id` : text;
      const rows = await sendSql(manager, sql, values);
      for (const { id } of rows) inserted.add(id);
      return { rows };
    };
    const options = { db: { executeSql }, returnId: true };
    if (isTen(this.boss)) await this.boss.insert(this.#insertions(jobs), options);
    else for (const [name, those] of byName(jobs)) await this.boss.insert(name, this.#insertions(those), options);
    // A job whose key already exists is rightly not inserted.
    const lost = jobs.find(({ id, key }) => key === null && !inserted.has(id));
    if (!lost) return;
    this.#known.delete(lost.name);
    throw new JobsRefusedError(`pg-boss did not add the job "${lost.name}". Check that its queue exists`);
  }

  /** Throws `JobsRefusedError` if the queue does not exist: pg-boss 10 silently ignores the jobs of such a queue. */
  async #see(name: string): Promise<void> {
    if (this.#known.has(name)) return;
    const queue = await this.boss.getQueue(name);
    if (!queue)
      throw new JobsRefusedError(
        `pg-boss has no queue "${name}". The application that has the job's handler creates the queue at boot. Start that application first, or call boss.createQueue('${name}')`,
      );
    this.#known.set(name, queue);
  }

  #insertions(jobs: readonly NewJob[]): object[] {
    const own = new Map<JobHandler, QueueOptions>();
    return jobs.map(({ id, name, key, data, dueAt, createdAt, handler }) => {
      if (handler && !own.has(handler)) own.set(handler, this.#ownOptions(handler));
      return {
        id,
        name,
        data,
        ...(handler && own.get(handler)),
        ...(dueAt > createdAt && { startAfter: dueAt.toISOString() }),
        ...(key !== null && { singletonKey: key, singletonSeconds: FOR_EVER }),
      };
    });
  }

  /** The handler's options that differ from those of the queue: an earlier release may have created the queue. */
  #ownOptions(handler: JobHandler): QueueOptions {
    const queue = this.#known.get(handler.name);
    const options = Object.entries(queueOptions(handler));
    return Object.fromEntries(options.filter(([name, value]) => queue?.[name as keyof QueueOptions] !== value));
  }
}
