import { MoreThan } from 'typeorm';
import type { DataSource } from 'typeorm';
import { QueuedJob } from '../jobs/outbox/queued-job.entity.js';

const ROWS_PER_PAGE = 500;

/** The jobs in the table of the library that have this id as a value anywhere in their payload, or in their key. */
export async function* jobsNaming(dataSource: DataSource, id: string): AsyncGenerator<QueuedJob, void> {
  const jobs = dataSource.getRepository(QueuedJob);
  for (let after: string | undefined; ;) {
    const page = await jobs.find({
      where: after === undefined ? {} : { id: MoreThan(after) },
      order: { id: 'ASC' },
      take: ROWS_PER_PAGE,
    });
    for (const job of page) if (job.key === id || has(job.data, id)) yield job;
    after = page.at(-1)?.id;
    if (page.length < ROWS_PER_PAGE) return;
  }
}

/** Whether a value of the JSON is the id, as a text or a number. */
function has(value: unknown, id: string): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some((inner) => has(inner, id));
  return (typeof value === 'string' || typeof value === 'number') && String(value) === id;
}
