import { randomUUID } from 'node:crypto';
import type { EntityManager, ObjectLiteral } from 'typeorm';
import { sendSql } from '../../unit-of-work/typeorm/send-sql.js';
import type { Transactor } from '../../unit-of-work/transactor.js';
import { errorText } from '../error-text.js';
import type { FailedJob, JobData } from '../job-engine.js';
import type { JobStore, LeasedJob } from '../leases/job-store.js';

/** A job of graphile-worker that this process has locked. */
export interface LockedJob extends LeasedJob {
  /** Its id in the table. */
  readonly row: string;
}

interface Row {
  readonly row: string;
  readonly payload: JobData & { readonly id?: string };
  readonly attempts: number;
  readonly lastError: string | null;
}

// Whose locks the library ends: those of its own processes. Runners of the application look after theirs.
const OWNER = 'nestjs-files-';
const RETRIES = 5;
const GIVEN_UP = 'NOT is_available AND locked_at IS NULL';

/**
 * The rows of graphile-worker. They are locked, ended and failed as its own workers do, which have no function for
 * that: here with the order of equal times, with locks that end soon after their process, and in the transaction of the
 * run.
 */
export class GraphileJobs implements JobStore<LockedJob> {
  readonly #jobs: string;
  readonly #tasks: string;

  /**
   * @param schema quoted
   * @param names of all jobs that this application handles
   * @param listen as `JobStore.listen()`
   */
  constructor(
    private readonly transactor: Transactor,
    schema: string,
    private readonly names: readonly string[],
    readonly listen: (heard: () => void) => () => Promise<void>,
  ) {
    this.#jobs = `${schema}._private_jobs`;
    this.#tasks = `${schema}._private_tasks`;
  }

  async isDue(names: readonly string[]): Promise<boolean> {
    const due = `SELECT FROM ${this.#jobs} WHERE is_available AND run_at <= now() AND ${this.#isOf('$1')}`;
    const [row] = await this.#send(`SELECT EXISTS (${due}) AS "isDue"`, [names]);
    return row?.['isDue'] === true;
  }

  take(name: string, limit: number): Promise<LockedJob[]> {
    const leaseOwner = OWNER + randomUUID();
    // Jobs of a unit of work may have been queued in one millisecond; their ids are in order.
    const order = "priority, run_at, payload->>'id'";
    const sql =
      `WITH due AS (SELECT id FROM ${this.#jobs} WHERE is_available AND job_queue_id IS NULL AND run_at <= now() ` +
      `AND ${this.#isOf('$1')} ORDER BY ${order} LIMIT $2 FOR UPDATE SKIP LOCKED), ` +
      `taken AS (UPDATE ${this.#jobs} AS jobs SET attempts = attempts + 1, locked_by = $3, locked_at = now() ` +
      'FROM due WHERE jobs.id = due.id RETURNING jobs.*) ' +
      `SELECT id AS "row", payload, attempts, last_error AS "lastError" FROM taken ORDER BY ${order}`;
    const work = async ({ manager }: { readonly manager: EntityManager }): Promise<LockedJob[]> => {
      const rows = (await sendSql(manager, sql, [[name], limit, leaseOwner])) as Row[];
      return rows.map(({ row, payload: { id = row, ...data }, attempts, lastError }) => {
        return { row, id, name, data, attempts, lastError, leaseOwner };
      });
    };
    return this.transactor.run(work, { retry: RETRIES, name: `lease of job ${name}` });
  }

  async end({ row, leaseOwner }: LockedJob, manager: EntityManager): Promise<boolean> {
    const gone = `DELETE FROM ${this.#jobs} WHERE id = $1 AND locked_by = $2 RETURNING id`;
    const rows = await sendSql(manager, `WITH gone AS (${gone}) SELECT id FROM gone`, [row, leaseOwner]);
    return rows.length === 1;
  }

  async giveBack(job: LockedJob, wait: number, lastError: string | null, counts: boolean): Promise<void> {
    const attempts = counts ? job.attempts : job.attempts - 1;
    const change = `run_at = now() + $4 * interval '1 millisecond', max_attempts = GREATEST(max_attempts, $3::int + 1)`;
    await this.#unlock(job, change, [attempts, wait], lastError);
  }

  async giveUp(job: LockedJob, lastError: string, attempts: number): Promise<void> {
    await this.#unlock(job, 'max_attempts = $3::int', [attempts], lastError);
  }

  async extend(jobs: readonly LockedJob[]): Promise<void> {
    await this.#send(
      `UPDATE ${this.#jobs} SET locked_at = now() WHERE id = ANY($1::bigint[]) AND locked_by = ANY($2::text[])`,
      [jobs.map(({ row }) => row), jobs.map(({ leaseOwner }) => leaseOwner)],
    );
  }

  /** Lets a job be taken even if its last attempt was over, so that it can be given up. */
  async reclaim(lease: number): Promise<void> {
    await this.#send(
      `UPDATE ${this.#jobs} SET locked_by = NULL, locked_at = NULL, max_attempts = GREATEST(max_attempts, attempts + 1) ` +
        `WHERE locked_by LIKE '${OWNER}%' AND locked_at < now() - $1 * interval '1 millisecond'`,
      [lease],
    );
  }

  async ping(): Promise<void> {
    await this.#send(`SELECT 1 FROM ${this.#jobs} LIMIT 1`, []);
  }

  async failed(limit: number): Promise<FailedJob[]> {
    const rows = await this.#send(
      'SELECT jobs.id AS "row", jobs.payload, tasks.identifier AS name, jobs.attempts, jobs.last_error AS error, ' +
        `jobs.updated_at AS "failedAt" FROM ${this.#jobs} AS jobs JOIN ${this.#tasks} AS tasks ON tasks.id = jobs.task_id ` +
        `WHERE tasks.identifier = ANY($1) AND ${GIVEN_UP} ORDER BY jobs.updated_at DESC, jobs.id DESC LIMIT $2`,
      [this.names, limit],
    );
    return (rows as (Omit<FailedJob, 'id' | 'payload'> & Pick<Row, 'row' | 'payload'>)[]).map(
      ({ row, payload: { id = row, payload }, name, attempts, error, failedAt }) => {
        return { id, name, payload, attempts, error, failedAt };
      },
    );
  }

  async retry(ids: readonly string[]): Promise<number> {
    const again =
      `UPDATE ${this.#jobs} SET attempts = 0, run_at = now(), updated_at = now() ` +
      `WHERE COALESCE(payload->>'id', id::text) = ANY($2) AND ${this.#isOf('$1')} AND ${GIVEN_UP} RETURNING id`;
    return (await this.#send(`WITH again AS (${again}) SELECT id FROM again`, [this.names, ids])).length;
  }

  async #unlock({ row, leaseOwner }: LockedJob, change: string, values: number[], error: string | null): Promise<void> {
    const [attempts, ...more] = values;
    const last = `$${values.length + 3}`;
    await this.#send(
      `UPDATE ${this.#jobs} SET attempts = $3::int, ${change}, last_error = ${last}, locked_by = NULL, locked_at = NULL, ` +
        'updated_at = now() WHERE id = $1 AND locked_by = $2',
      [row, leaseOwner, attempts, ...more, errorText(error)],
    );
  }

  #isOf(names: string): string {
    return `task_id = ANY(ARRAY(SELECT id FROM ${this.#tasks} WHERE identifier = ANY(${names})))`;
  }

  #send(sql: string, values: readonly unknown[]): Promise<ObjectLiteral[]> {
    return sendSql(this.transactor.dataSource.manager, sql, values);
  }
}
