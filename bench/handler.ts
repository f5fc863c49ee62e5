// What does @WithTaskQueue() cost where nothing is queued, against the same handler with dataSource.transaction()?

import 'reflect-metadata';
import { startChild } from './support/child.js';
import { contest, printStandings } from './support/contest.js';
import { withFilesDatabase } from './support/databases.js';
import { fillTables, PACKAGES } from './support/files-table.js';
import { load } from './support/load.js';
import type { Call } from './support/load.js';

/** Requests of which none changes a column that names files. */
export function handlerCalls(): Call[] {
  return Array.from({ length: 2000 }, (_, n) => {
    return { method: 'PATCH', path: `/packages/${(n % PACKAGES) + 1}`, body: { title: `t${n}` } };
  });
}

export async function handler(): Promise<void> {
  for (const kind of ['postgres', 'mariadb', 'sqlite'] as const) {
    await withFilesDatabase(kind, async (database, source) => {
      await fillTables(source, 1);
      const calls = handlerCalls();
      const names = ['dataSource.transaction', 'nestjs-files'];
      const start = (name: string) =>
        startChild(new URL('./handler/serve.js', import.meta.url).href, name, JSON.stringify(database));
      const children = await Promise.all(names.map(start));
      try {
        const contestants = children.map(({ port }, index) => ({
          name: names[index]!,
          round: () => load(port, calls),
        }));
        for (const { round } of contestants) await round();
        printStandings(`A handler that queues nothing, ${kind}`, 'requests/s', await contest(contestants, 7));
      } finally {
        await Promise.all(children.map((child) => child.stop()));
      }
    });
  }
}
