// How long does an application with a hundred routes take to start, with this library and without it? From the start of
// the process, with the package as it is published: run `npm run build` before.

import { startChild } from './support/child.js';
import { contest, printStandings } from './support/contest.js';
import { withFilesDatabase } from './support/databases.js';

const NAMES = ['without', 'nestjs-files'];

export async function boot(): Promise<void> {
  await withFilesDatabase('postgres', async (database) => {
    const contestants = NAMES.map((name) => ({
      name,
      round: async () => {
        const child = await startChild(
          new URL('./boot/serve.js', import.meta.url).href,
          name,
          JSON.stringify(database),
        );
        const { milliseconds } = (await (await fetch(`http://127.0.0.1:${child.port}/boot`)).json()) as {
          milliseconds: number;
        };
        await child.stop();
        return 1000 / milliseconds;
      },
    }));
    for (const { round } of contestants) await round();
    printStandings('An application with 100 routes starts', 'starts/s', await contest(contestants, 15));
  });
}
