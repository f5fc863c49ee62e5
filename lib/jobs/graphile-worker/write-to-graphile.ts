import type { EntityManager } from 'typeorm';
import { JobsRefusedError } from '../../errors/jobs.errors.js';
import { sendSql } from '../../unit-of-work/typeorm/send-sql.js';
import type { NewJob } from '../job-engine.js';

// The columns of a job, and when it is due. A job without a delay is due at once, even if the clock of this process is
// ahead.
const COLUMNS = 'identifier text, payload json, queued_at timestamptz, due_at timestamptz, max_attempts int, key text';
const RUN_AT = 'COALESCE(job.due_at, LEAST(job.queued_at, clock_timestamp()))';

/**
 * Writes all jobs by one statement, which calls graphile-worker's functions. A job whose key already exists is left
 * out.
 */
export async function writeToGraphile(manager: EntityManager, schema: string, jobs: readonly NewJob[]): Promise<void> {
  const plain = jobs.filter(({ key }) => key === null);
  // All units write them in the order of the keys. Otherwise two units could wait for each other.
  const keyed = jobs.filter(({ key }) => key !== null).toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
  const parts: string[] = [];
  const values: unknown[] = [];
  const rows = (some: readonly NewJob[]): string => {
    values.push(JSON.stringify(some.map(specification)));
    return `json_to_recordset($${values.length}::json) AS job (${COLUMNS})`;
  };
  if (plain.length > 0) {
    const specs =
      `SELECT ROW(job.identifier, job.payload, NULL, ${RUN_AT}, job.max_attempts, NULL, NULL, NULL)::${schema}.job_spec ` +
      `FROM ${rows(plain)}`;
    parts.push(`(SELECT ${plain.length} - COUNT(*) FROM ${schema}.add_jobs(ARRAY(${specs})))`);
  }
  if (keyed.length > 0) {
    // Only this mode of `add_job` leaves an existing job with the key unchanged. The condition keeps `add_job` from
    // locking that job, because its run would wait for the lock.
    const added = `${schema}.add_job(job.identifier, job.payload, NULL, ${RUN_AT}, job.max_attempts, job.key, NULL, NULL, 'unsafe_dedupe')`;
    const isNew = `NOT EXISTS (SELECT FROM ${schema}._private_jobs AS there WHERE there.key = job.key)`;
    parts.push(`(SELECT COUNT(*) - COUNT((${added}).id) FROM ${rows(keyed)} WHERE ${isNew})`);
  }
  const [row] = await sendSql(manager, `SELECT ${parts.join(' + ')} AS lost`, values);
  const lost = Number(row?.['lost']);
  if (lost === 0) return;
  throw new JobsRefusedError(
    `graphile-worker did not add ${lost} of ${jobs.length} job(s). Its list of tasks may have been cleaned up at the same time: try again`,
  );
}

/** All tasks of graphile-worker share one set of keys. */
function keyOf({ name, key }: NewJob): string {
  return `${name}:${key}`;
}

function specification(job: NewJob): object {
  const { id, name, key, data, createdAt, dueAt, handler } = job;
  return {
    identifier: name,
    payload: { id, ...data },
    queued_at: createdAt.toISOString(),
    due_at: dueAt > createdAt ? dueAt.toISOString() : null,
    max_attempts: handler?.attempts ?? null,
    key: key === null ? null : keyOf(job),
  };
}
