import { getHeapSpaceStatistics } from 'node:v8';
import type { DataSource } from 'typeorm';
import type { Mischief } from './mischief.js';
import type { UnitCount } from './unit-count.js';

/** What the application has in hand at one moment. */
export interface Measure {
  /**
   * Bytes, after a collection; without the machine code that the engine makes for as long as something is run more
   * often.
   */
  readonly heap: number;
  readonly rss: number;
  /** What keeps its event loop alive, and how much of each: `{ Timeout: 1 }`. */
  readonly resources: Readonly<Record<string, number>>;
  /** Of the database's connections; undefined where there is no pool. */
  readonly pool: { readonly total: number; readonly idle: number; readonly waiting: number } | undefined;
  readonly units: { readonly open: number; readonly ended: Readonly<Record<string, number>> };
  readonly faults: Readonly<Record<string, number>>;
  /** Files that somebody forgot to close, and that were closed when they were collected. */
  readonly forgotten: number;
}

const CODE = new Set(['code_space', 'code_large_object_space', 'trusted_space', 'trusted_large_object_space']);

let forgotten = 0;

/** To be called at the start. */
export function watchForgotten(): void {
  process.on('warning', ({ message }) => {
    if (message.startsWith('Closing file descriptor')) forgotten++;
  });
}

interface PgPool {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
}

/** Needs `--expose-gc`. */
export function takeMeasure(dataSource: DataSource, { open, ended }: UnitCount, { counts }: Mischief): Measure {
  globalThis.gc!();
  const heap = getHeapSpaceStatistics()
    .filter(({ space_name }) => !CODE.has(space_name))
    .reduce((sum, { space_used_size }) => sum + space_used_size, 0);
  const { rss } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  const { master } = dataSource.driver as unknown as { master?: PgPool };
  const pool = master && { total: master.totalCount, idle: master.idleCount, waiting: master.waitingCount };
  return { heap, rss, resources, pool, units: { open, ended }, faults: counts, forgotten };
}
