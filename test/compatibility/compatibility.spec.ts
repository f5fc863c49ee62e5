import { readFile } from 'node:fs/promises';
import { FILES_ENTITIES } from 'nestjs-files/entities';
import { FILES_MIGRATIONS, runMigrations } from 'nestjs-files/migrations';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKS } from './checks.js';
import { CONFIGURATIONS, reachableConfigurations } from './configurations.js';
import type { Prepared } from './configurations.js';
import { PAGES_ENTITIES, startPages } from './pages-app.js';
import type { PagesApp } from './pages-app.js';

const which = process.env['COMPATIBILITY'] === 'all' ? 'all' : 'sample';

/** Makes the tables, and gives what TypeORM would change in those of the library. */
async function makeTables(options: DataSourceOptions, isSynchronized: boolean): Promise<string[]> {
  const open = (entities: NonNullable<DataSourceOptions['entities']>) =>
    new DataSource({ ...options, entities, migrations: [...FILES_MIGRATIONS] } as DataSourceOptions).initialize();
  const own = await open([...FILES_ENTITIES]);
  if (isSynchronized) await own.synchronize();
  else await runMigrations(own);
  const { upQueries } = await own.driver.createSchemaBuilder().log();
  await own.destroy();
  const all = await open(PAGES_ENTITIES);
  await all.synchronize();
  await all.destroy();
  return upQueries.map(({ query }) => query);
}

describe.each(await reachableConfigurations(which))('$name', ({ database, ...configuration }) => {
  let app: PagesApp | undefined;
  let differences: string[];
  const undo: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    const { options, drop } = await database.create();
    const prepared: Prepared = (await configuration.prepare?.(options)) ?? { options };
    undo.push(...[prepared.undo, drop, prepared.undoLast].filter((one) => one !== undefined));
    const tables = { ...prepared.options, ...configuration.tables } as DataSourceOptions;
    // A database in memory goes with its connection.
    const isOnce = configuration.kind === 'memory';
    differences = isOnce ? [] : await makeTables(tables, configuration.isSynchronized ?? false);
    const running = { ...tables, ...configuration.options, synchronize: isOnce } as DataSourceOptions;
    app = await startPages(running, configuration.platform ?? 'express', configuration.files);
  });

  afterAll(async () => {
    await app?.close();
    for (const one of undo) await one();
  });

  it('has the tables that the entities say', () => {
    expect(differences.length > 0).toBe(configuration.isNeverAlike ?? false);
  });

  it.each(Object.keys(CHECKS))('%s', async (title) => {
    await CHECKS[title]!(app!);
  });
});

it('matches the list of docs/compatibility.md', async () => {
  const page = await readFile(new URL('../../docs/compatibility.md', import.meta.url), 'utf8');
  const listed = [...page.matchAll(/^\| (.+?) +\|/gm)].map(([, name]) => name);
  const told = CONFIGURATIONS.map(({ name }) => name);
  expect(listed.filter((name) => told.includes(name!))).toEqual(told);
});
