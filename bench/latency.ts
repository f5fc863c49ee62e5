// What does a user wait for where the database is 2 ms away, as it is in production? One connection: no other request
// fills the time that one waits.

import { attachCalls } from './attach.js';
import { handlerCalls } from './handler.js';
import { startChild } from './support/child.js';
import type { Child } from './support/child.js';
import { contest, printStandings } from './support/contest.js';
import type { Contestant } from './support/contest.js';
import { withFilesDatabase } from './support/databases.js';
import { farAway } from './support/far-away.js';
import { fillTables } from './support/files-table.js';
import { load } from './support/load.js';
import type { Call } from './support/load.js';

const ROUND_TRIP = 2;
const CALLS = 100;
const ATTACH = ['pg', 'nestjs-files', 'dataSource.transaction'];

interface Question {
  readonly title: string;
  readonly serve: string;
  readonly names: readonly string[];
  readonly calls: readonly Call[];
  readonly files: number;
}

const QUESTIONS: readonly Question[] = [
  ...[1, 10].map((files) => ({
    title: `${files} file${files === 1 ? '' : 's'} in a request`,
    serve: './attach/serve.js',
    names: ATTACH,
    calls: attachCalls(files, CALLS),
    files: files * CALLS,
  })),
  {
    title: 'A handler that queues nothing',
    serve: './handler/serve.js',
    names: ['dataSource.transaction', 'nestjs-files'],
    calls: handlerCalls().slice(0, CALLS),
    files: 1,
  },
];

export async function latency(): Promise<void> {
  await withFilesDatabase('postgres', async (near, source) => {
    const { database, close } = await farAway(near, ROUND_TRIP);
    try {
      for (const { title, serve, names, calls, files } of QUESTIONS) {
        const running: Child[] = [];
        const contestants: Contestant[] = [];
        for (const name of names) {
          const child = await startChild(new URL(serve, import.meta.url).href, name, JSON.stringify(database));
          running.push(child);
          const round = async (): Promise<number> => {
            await fillTables(source, files);
            return load(child.port, calls, 1);
          };
          await round();
          contestants.push({ name, round });
        }
        printStandings(`${title}, PostgreSQL ${ROUND_TRIP} ms away`, 'requests/s', await contest(contestants, 7));
        await Promise.all(running.map((child) => child.stop()));
      }
    } finally {
      await close();
    }
  });
}
