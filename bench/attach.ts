// What does it cost to save a record whose files become its own? Each contestant is an application of its own, over
// HTTP.

import 'reflect-metadata';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { startChild } from './support/child.js';
import type { Child } from './support/child.js';
import { contest, printStandings } from './support/contest.js';
import type { Contestant } from './support/contest.js';
import { withFilesDatabase } from './support/databases.js';
import type { BenchDatabase } from './support/databases.js';
import { fileId, fillTables, PACKAGES } from './support/files-table.js';
import { load } from './support/load.js';
import type { Call } from './support/load.js';

const BY_HAND = { postgres: 'pg', mariadb: 'mysql2', sqlite: 'better-sqlite3' } as const;
/** How many files a request attaches, and how many requests make a round. */
export const SIZES = [
  [1, 2000],
  [10, 1000],
  [100, 200],
  [1000, 24],
] as const;

/** Requests that attach so many files each. */
export function attachCalls(files: number, requests: number): Call[] {
  return Array.from({ length: requests }, (_, n) => {
    const ids = Array.from({ length: files }, (_, at) => fileId(n * files + at));
    const id = (n % PACKAGES) + 1;
    const body = files === 1 ? { title: `t${n}`, attachmentId: ids[0] } : { title: `t${n}`, fileIds: ids };
    return { method: 'PATCH', path: files === 1 ? `/packages/${id}` : `/collections/${id}`, body };
  });
}

function contestantsFor(kind: BenchDatabase, files: number): string[] {
  const names = [BY_HAND[kind], 'nestjs-files', 'dataSource.transaction'];
  // Around one shared connection the others lose what a neighbour rolls back: on SQLite there is nothing to compare.
  return files === 1 && kind !== 'sqlite' ? [...names, 'typeorm-transactional', 'nestjs-cls'] : names;
}

export async function attach(): Promise<void> {
  for (const kind of ['postgres', 'mariadb', 'sqlite'] as const) {
    await withFilesDatabase(kind, async (database, source) => {
      for (const [files, requests] of SIZES) await measure(kind, database, source, files, requests);
    });
  }
}

async function measure(
  kind: BenchDatabase,
  database: DataSourceOptions,
  source: DataSource,
  files: number,
  requests: number,
): Promise<void> {
  const list = attachCalls(files, requests);
  const running: Child[] = [];
  const contestants: Contestant[] = [];
  try {
    for (const name of contestantsFor(kind, files)) {
      const child = await startChild(
        new URL('./attach/serve.js', import.meta.url).href,
        name,
        JSON.stringify(database),
      );
      running.push(child);
      const round = async (): Promise<number> => {
        await fillTables(source, files * requests);
        return load(child.port, list);
      };
      // What the first requests compile is not what a request costs.
      await round();
      contestants.push({ name, round });
    }
    const title = `${files} file${files === 1 ? '' : 's'} in a request, ${kind}`;
    printStandings(title, 'requests/s', await contest(contestants));
  } finally {
    await Promise.all(running.map((child) => child.stop()));
  }
}
