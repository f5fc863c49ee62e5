// What does it cost to decide about files and list them? A page of 20 records with their 100 files, against one JOIN.

import type { DataSource } from 'typeorm';
import { startChild } from './support/child.js';
import { contest, printStandings } from './support/contest.js';
import { withFilesDatabase } from './support/databases.js';
import { fillTables, PACKAGES } from './support/files-table.js';
import { load } from './support/load.js';
import type { Call } from './support/load.js';

const NAMES = ['one JOIN by hand', 'nestjs-files'];
const PACKAGES_OF_A_PAGE = 20;
const FILES_OF_A_PACKAGE = 5;
const CALLS = 1000;

export async function listing(): Promise<void> {
  await withFilesDatabase('postgres', async (database, source) => {
    await fillTables(source, PACKAGES * FILES_OF_A_PACKAGE);
    await giveToPackages(source);
    const start = (name: string) =>
      startChild(new URL('./listing/serve.js', import.meta.url).href, name, JSON.stringify(database));
    const children = await Promise.all(NAMES.map(start));
    try {
      const calls = pages();
      await assertSame(children.map(({ port }) => port));
      const contestants = children.map(({ port }, at) => ({ name: NAMES[at]!, round: () => load(port, calls) }));
      for (const { round } of contestants) await round();
      printStandings('100 files of 20 records, postgres', 'pages/s', await contest(contestants, 7));
    } finally {
      await Promise.all(children.map((child) => child.stop()));
    }
  });
}

async function giveToPackages(source: DataSource): Promise<void> {
  await source.query(
    `UPDATE files_file SET owner_type = 'package', owner_id = (('x' || right(id::text, 8))::bit(32)::int % ${PACKAGES} + 1)::text`,
  );
  await source.query('VACUUM ANALYZE files_file');
}

function pages(): Call[] {
  return Array.from({ length: CALLS }, (_, n) => {
    const ids = Array.from({ length: PACKAGES_OF_A_PAGE }, (_, at) => ((n * 7 + at) % PACKAGES) + 1);
    return { method: 'GET', path: `/listing?packages=${ids.join(',')}`, headers: {} };
  });
}

/** All contestants give the same list. */
async function assertSame(ports: readonly number[]): Promise<void> {
  const [page] = pages();
  const lists: string[] = [];
  for (const port of ports) lists.push(await (await fetch(`http://127.0.0.1:${port}${page!.path}`)).text());
  const files = PACKAGES_OF_A_PAGE * FILES_OF_A_PACKAGE;
  const [first = ''] = lists;
  if ((JSON.parse(first) as unknown[]).length !== files || lists.some((list) => list !== first))
    throw new Error(`The lists are not the same ${files} files: ${lists.map((list) => list.slice(0, 200)).join('; ')}`);
}
