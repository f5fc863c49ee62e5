import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { In } from 'typeorm';
import type { EntityManager, FindOptionsWhere, Repository } from 'typeorm';
import { notAfter } from '../../files/columns.js';
import { dialectOf } from '../../unit-of-work/dialects/dialect-of.js';
import { lockRows, skipsLocked } from '../../unit-of-work/typeorm/row-locks.js';
import { inChunks } from '../../unit-of-work/typeorm/send-sql.js';
import { tableNames } from '../../unit-of-work/typeorm/table-names.js';
import type { Transactor } from '../../unit-of-work/transactor.js';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.js';
import { errorText } from '../error-text.js';
import type { FailedJob } from '../job-engine.js';
import type { JobStore } from '../leases/job-store.js';
import { QueuedJob } from './queued-job.entity.js';

/** A job that was taken, with the lease that it was taken by. */
export type LeasedRow = QueuedJob & { leaseOwner: string };

/**
 * A job whose run ends. With `leaseOwner`, only the process that holds this lease can end it. Without it, the engine
 * itself ensures that only one process runs the job.
 */
export type HeldJob = Pick<QueuedJob, 'id' | 'key'> & { leaseOwner?: string };

interface Due {
  readonly name: string;
  readonly limit: number;
  readonly now: number;
}

const RETRIES = 5;
const IDS_PER_STATEMENT = 1_000;
const REMOVED_AT_ONCE = 1_000;
const PARTS = 10;
const TRIES = 10;

/** The rows of jobs, after the commit that wrote them. Only who has the lease of one changes it. */
export class Outbox implements JobStore<LeasedRow> {
  readonly #logger = new Logger('FilesJobs');
  readonly #told = new Set<string>();
  #hasTidied = false;

  /** @param keepKeys for how many milliseconds the key of a job that is done is kept */
  constructor(
    private readonly transactor: Transactor,
    private readonly now: () => number,
    private readonly keepKeys: number,
  ) {}

  isDue(names: readonly string[]): Promise<boolean> {
    return this.#rows.existsBy({ state: 'open', name: In(names), dueAt: notAfter(new Date(this.now())) });
  }

  async ping(): Promise<void> {
    await this.#rows.existsBy({ state: 'open', dueAt: notAfter(new Date(0)) });
  }

  take(name: string, limit: number, lease: number): Promise<LeasedRow[]> {
    const now = this.now();
    const leased = { leaseOwner: randomUUID(), dueAt: new Date(now + lease) };
    const { dataSource } = this.transactor;
    const { column } = tableNames<QueuedJob>(dataSource, QueuedJob);
    const work = async ({ manager }: UnitOfWork): Promise<LeasedRow[]> => {
      const due = await this.#lockDue(manager, { name, limit, now });
      if (due.length === 0) return [];
      await manager
        .createQueryBuilder()
        .update(QueuedJob)
        .set({ ...leased, attempts: () => `${column('attempts')} + 1` })
        .where({ id: In(due.map(({ id }) => id).toSorted()), state: 'open', dueAt: notAfter(new Date(now)) })
        .execute();
      // On servers that cannot skip locked rows somebody else may have been first.
      if (skipsLocked(dataSource) || dialectOf(dataSource).hasOneWriter)
        return due.map((job) => Object.assign(job, leased, { attempts: job.attempts + 1 }));
      const where = { leaseOwner: leased.leaseOwner };
      return (await manager.find(QueuedJob, { where, order: { dueAt: 'ASC', id: 'ASC' } })) as LeasedRow[];
    };
    return this.transactor.run(work, { retry: RETRIES, name: `lease of job ${name}` });
  }

  /** Ends a job that has been run, in the manager's transaction: `false` if it is not the lease's any more. */
  async end(job: HeldJob, manager = this.transactor.dataSource.manager): Promise<boolean> {
    const mine = held(job);
    const { affected } =
      job.key === null
        ? await manager.delete(QueuedJob, mine)
        : await manager.update(QueuedJob, mine, { state: 'done', dueAt: new Date(this.now()), leaseOwner: null });
    return affected === 1;
  }

  async giveBack(job: LeasedRow, wait: number, lastError: string | null, counts: boolean): Promise<void> {
    const attempts = counts ? job.attempts : job.attempts - 1;
    const dueAt = new Date(this.now() + wait);
    await this.#change(job, { dueAt, attempts, lastError: errorText(lastError) });
  }

  async giveUp(job: HeldJob, lastError: string, attempts: number): Promise<void> {
    const dueAt = new Date(this.now());
    await this.#change(job, { state: 'failed', dueAt, attempts, lastError: errorText(lastError) });
  }

  async extend(jobs: readonly LeasedRow[], lease: number): Promise<void> {
    const where = { id: In(jobs.map(({ id }) => id).toSorted()), leaseOwner: In(jobs.map((job) => job.leaseOwner)) };
    await this.#rows.update(where, { dueAt: new Date(this.now() + lease) });
  }

  async failed(take: number): Promise<FailedJob[]> {
    const rows = await this.#rows.find({ where: { state: 'failed' }, order: { dueAt: 'DESC', id: 'DESC' }, take });
    return rows.map(({ id, name, data: { payload }, attempts, lastError: error, dueAt: failedAt }) => {
      return { id, name, payload, attempts, error, failedAt };
    });
  }

  async retry(ids: readonly string[]): Promise<number> {
    let count = 0;
    for (const chunk of inChunks(ids, IDS_PER_STATEMENT)) {
      const where = { id: In(chunk), state: 'failed' as const };
      const { affected } = await this.#rows.update(where, { state: 'open', attempts: 0, dueAt: new Date(this.now()) });
      count += affected ?? 0;
    }
    return count;
  }

  /**
   * Removes the rows of old jobs that are done, and with them their keys; tells, once each, of jobs that nobody here
   * handles.
   */
  async tidy(handled: readonly string[]): Promise<void> {
    let isDone = true;
    for (const name of this.#hasTidied ? handled : await this.#namesOfDone())
      if (!(await this.#removeDone(name))) isDone = false;
    this.#hasTidied ||= isDone;
    for (const { name, count } of await this.#unhandled([...handled, ...this.#told])) {
      this.#told.add(name);
      this.#logger.error(
        `${count} job(s) "${name}" wait, and no provider of this process has a method with @FileJob('${name}'). ` +
          'Add it, or make sure that another process runs them.',
      );
    }
  }

  /** Reads all jobs that are done, and so once: an earlier version of the application may have had other names. */
  async #namesOfDone(): Promise<string[]> {
    const names = this.#rows.createQueryBuilder('job').select('job.name', 'name').distinct().where({ state: 'done' });
    return (await names.getRawMany<{ name: string }>()).map(({ name }) => name);
  }

  /**
   * A part at a time: finishing jobs must not wait for long. By name, because that is how the index begins. False where
   * some are left for the next time, so that due jobs are looked for in between.
   */
  async #removeDone(name: string): Promise<boolean> {
    const where = { state: 'done' as const, name, dueAt: notAfter(new Date(this.now() - this.keepKeys)) };
    for (let part = 0; part < PARTS; part++) {
      const rows = await this.#rows.find({ select: { id: true }, where, take: REMOVED_AT_ONCE });
      if (rows.length > 0) await this.#rows.delete({ id: In(rows.map(({ id }) => id).toSorted()), state: 'done' });
      if (rows.length < REMOVED_AT_ONCE) return true;
    }
    return false;
  }

  /** How many jobs wait that have none of these names, by name. */
  async #unhandled(names: readonly string[]): Promise<{ name: string; count: number }[]> {
    const query = this.#rows.createQueryBuilder('job').select('job.name', 'name').addSelect('COUNT(*)', 'count');
    query.where({ state: 'open' }).groupBy('job.name');
    if (names.length > 0) query.andWhere('job.name NOT IN (:...names)', { names });
    const rows = await query.getRawMany<{ name: string; count: number | string }>();
    return rows.map(({ name, count }) => ({ name, count: Number(count) }));
  }

  /** The due jobs, the one that was due first at first, without those that another process is about to take. */
  async #lockDue(manager: EntityManager, { name, limit, now }: Due): Promise<QueuedJob[]> {
    const due = manager
      .createQueryBuilder(QueuedJob, 'job')
      .where({ state: 'open', name })
      .andWhere('job.dueAt <= :now', { now })
      .orderBy('job.dueAt')
      .addOrderBy('job.id')
      .limit(limit);
    const { dataSource } = this.transactor;
    if (!skipsLocked(dataSource)) return due.getMany();
    const lock = (query: typeof due): Promise<QueuedJob[]> => lockRows(query, { skipLocked: true }).getMany();
    if (!dialectOf(dataSource).locksNeighbours) return lock(due);
    // InnoDB also locks, for a moment, rows that it only looks at, such as the first job of the next name. A search
    // with locks would pass over that job, and take a later one. So the search locks nothing, unless somebody holds the
    // rows for longer than a moment.
    for (let tries = 0; tries < TRIES; tries++) {
      const ids = (await due.getMany()).map(({ id }) => id);
      if (ids.length === 0) return [];
      const locked = await lock(due.clone().andWhere({ id: In(ids) }));
      if (locked.length > 0) return locked;
    }
    return lock(due);
  }

  async #change(job: HeldJob, change: Partial<Omit<QueuedJob, 'data'>>): Promise<void> {
    await this.#rows.update(held(job), { ...change, leaseOwner: null });
  }

  get #rows(): Repository<QueuedJob> {
    return this.transactor.dataSource.getRepository(QueuedJob);
  }
}

function held({ id, leaseOwner }: HeldJob): FindOptionsWhere<QueuedJob> {
  return leaseOwner === undefined ? { id, state: 'open' } : { id, leaseOwner };
}
