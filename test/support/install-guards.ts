import type { DataSource } from 'typeorm';
import { createGuards } from '../../lib/entry/migrations.js';
import { GUARDED, Sketch } from './guarded-entities.js';

/** Has the database itself guard the rows that are guarded always. */
export async function installGuards(dataSource: DataSource): Promise<void> {
  const runner = dataSource.createQueryRunner();
  try {
    await createGuards(
      runner,
      GUARDED.filter((entity) => entity !== Sketch),
    );
  } finally {
    await runner.release();
  }
}
