import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { DataSource, DefaultNamingStrategy } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FILES_ENTITIES } from '../../../lib/files.module.js';
import { FILES_MIGRATIONS } from '../../../lib/migrations/files-migrations.js';
import { runMigrations } from '../../../lib/migrations/run-migrations.js';
import { reachableDatabases } from '../../support/databases.js';
import type { OpenDatabase } from '../../support/databases.js';
import { pgliteHere } from '../../support/pglite.js';

const MIGRATED = { entities: [...FILES_ENTITIES], migrations: [...FILES_MIGRATIONS] };

class Renaming extends DefaultNamingStrategy {
  override tableName(target: string, given?: string): string {
    return `t_${given ?? target}s`;
  }

  override columnName(property: string, given: string, prefixes: string[]): string {
    return `c_${super.columnName(property, given, prefixes)}`;
  }
}

class ByClass extends DefaultNamingStrategy {
  override tableName(target: string): string {
    return `Tbl${target}`;
  }

  override columnName(property: string): string {
    return property.toUpperCase();
  }

  override prefixTableName(prefix: string, table: string): string {
    return `${table}_${prefix}`;
  }

  override primaryKeyName(table: string | object): string {
    return `pk_${typeof table === 'string' ? table : (table as { name: string }).name}`.slice(-60);
  }
}

const NAMING_STRATEGIES = [
  { name: 'what it is given, changed', namingStrategy: new Renaming(), table: 'p_t_files_files' },
  { name: 'what the class and its properties are called', namingStrategy: new ByClass(), table: 'TblManagedFile_p_' },
];

/** What TypeORM would do to make the database as the entities say. */
async function differences(dataSource: DataSource): Promise<string[]> {
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  return upQueries.map(({ query }) => query);
}

async function tables(dataSource: DataSource): Promise<string[]> {
  const runner = dataSource.createQueryRunner();
  const found: string[] = [];
  for (const { tablePath } of dataSource.entityMetadatas) {
    if (await runner.hasTable(tablePath)) found.push(tablePath);
  }
  await runner.release();
  return found;
}

it('lists every entity of the library in FILES_ENTITIES', async () => {
  const lib = new URL('../../../lib/', import.meta.url);
  const files = (await readdir(lib, { recursive: true })).filter((file) => file.endsWith('.entity.ts'));
  const modules = await Promise.all(files.map((file) => import(new URL(file, lib).href) as Promise<object>));
  const classes = modules.flatMap((module) => Object.values(module).filter((one) => typeof one === 'function'));
  expect(classes.length).toBeGreaterThan(1);
  expect(new Set(FILES_ENTITIES)).toEqual(new Set(classes));
});

for (const kind of await reachableDatabases('file', 'postgres', 'mariadb')) {
  describe(`the migrations on ${kind.name}`, () => {
    let database: OpenDatabase;

    beforeEach(async () => {
      database = await kind.open({ entities: [] });
    });

    afterEach(() => database.close());

    const connect = (options: object = {}) => database.connect({ ...MIGRATED, ...options });

    it('make the tables of the entities', async () => {
      const dataSource = await connect();
      expect(await differences(dataSource)).not.toEqual([]);
      await dataSource.runMigrations();
      expect(await differences(dataSource)).toEqual([]);
    });

    it('make the tables under the prefix of the data source', async () => {
      const dataSource = await connect({ entityPrefix: 'app_' });
      await dataSource.runMigrations();
      expect(await tables(dataSource)).toContain('app_files_file');
      expect(await differences(dataSource)).toEqual([]);
    });

    it.each(NAMING_STRATEGIES)(
      'make the tables with the names of a strategy: $name',
      async ({ namingStrategy, table }) => {
        const named = { namingStrategy, entityPrefix: 'p_' };
        // The runner of migrations need not know the entities.
        const runner = await connect({ ...named, entities: [] });
        await runner.runMigrations();
        const dataSource = await connect(named);
        expect(await tables(dataSource)).toContain(table);
        expect(await differences(dataSource)).toEqual([]);
        for (const _ of FILES_MIGRATIONS) await dataSource.undoLastMigration();
        expect(await tables(dataSource)).toEqual([]);
        await dataSource.runMigrations();
        expect(await differences(dataSource)).toEqual([]);
      },
    );

    it('do nothing the second time', async () => {
      const dataSource = await connect();
      expect(await dataSource.runMigrations()).toHaveLength(FILES_MIGRATIONS.length);
      expect(await dataSource.runMigrations()).toEqual([]);
      expect(await runMigrations(dataSource)).toEqual([]);
    });

    it('take over the tables that synchronize made', async () => {
      const dataSource = await connect();
      await dataSource.synchronize();
      expect(await differences(dataSource)).toEqual([]);
      await dataSource.runMigrations();
      expect(await differences(dataSource)).toEqual([]);
    });

    it('make the indexes that a process which died after the table did not make', async () => {
      const dataSource = await connect();
      await dataSource.runMigrations({ transaction: 'none' });
      const runner = dataSource.createQueryRunner();
      for (const { tablePath, indices } of dataSource.entityMetadatas) {
        for (const { name, isUnique } of indices) if (!isUnique) await runner.dropIndex(tablePath, name);
      }
      await runner.query('DELETE FROM migrations');
      await runner.release();
      expect(await differences(dataSource)).not.toEqual([]);
      await dataSource.runMigrations({ transaction: 'none' });
      expect(await differences(dataSource)).toEqual([]);
    });

    it.each(['all', 'each', 'none'] as const)(
      'go up, down and up again with transactions for %s',
      async (transaction) => {
        const dataSource = await connect();
        await dataSource.runMigrations({ transaction });
        expect(await tables(dataSource)).toHaveLength(FILES_ENTITIES.length);
        for (const _ of FILES_MIGRATIONS) await dataSource.undoLastMigration({ transaction });
        expect(await tables(dataSource)).toEqual([]);
        await dataSource.runMigrations({ transaction });
        expect(await differences(dataSource)).toEqual([]);
      },
    );

    it('run in one of many processes that start at once on an empty database', async () => {
      const sources = await Promise.all([connect(), connect(), connect(), connect()]);
      const ran = await Promise.all(sources.map((source) => runMigrations(source)));
      expect(ran.flat()).toHaveLength(FILES_MIGRATIONS.length);
      for (const source of sources) expect(await differences(source)).toEqual([]);
      expect(await database.read('SELECT name FROM migrations')).toHaveLength(FILES_MIGRATIONS.length);
    });
  });
}

const servers = (await reachableDatabases()).filter(({ kind }) => kind === 'postgres' || kind === 'mariadb');

for (const kind of servers) {
  it(`lets TypeORM's own runner run in many processes at once on ${kind.name}, where it has run before`, async () => {
    const database = await kind.open({ entities: [] });
    await (await database.connect()).runMigrations();
    const sources = await Promise.all([1, 2, 3].map(() => database.connect(MIGRATED)));
    await Promise.all(sources.map((source) => source.runMigrations()));
    for (const source of sources) expect(await differences(source)).toEqual([]);
    await database.close();
  });
}

for (const kind of servers.filter(({ kind: name }) => name === 'postgres')) {
  it('makes the tables in the schema of the data source', async () => {
    const database = await kind.open({ entities: [] });
    await database.dataSource.query('CREATE SCHEMA app');
    const options = { ...MIGRATED, schema: 'app' };
    const dataSource = await database.connect(options);
    await dataSource.runMigrations();
    expect(await differences(dataSource)).toEqual([]);
    expect(await tables(dataSource)).toContain('app.files_file');
    await database.close();
  });
}

const OTHER_PROCESS = `
  const connection = new (require('better-sqlite3'))(process.argv[1]);
  connection.exec('BEGIN IMMEDIATE; CREATE TABLE other (id integer)');
  console.log('begun');
  setTimeout(() => connection.exec('COMMIT'), 300);
`;

it('waits for the transaction of another process on SQLite before it migrates', async () => {
  const [kind] = await reachableDatabases('file');
  const database = await kind!.open({ entities: [] });
  const dataSource = await database.connect(MIGRATED);
  // The table of TypeORM's own is there, so that nothing but the migration can wait.
  await dataSource.runMigrations();
  await dataSource.undoLastMigration();
  const other = spawn(process.execPath, ['-e', OTHER_PROCESS, String(dataSource.options.database)], { stdio: 'pipe' });
  const ended = once(other, 'exit');
  await once(other.stdout, 'data');
  await dataSource.runMigrations();
  expect(await ended).toEqual([0, null]);
  expect(await differences(dataSource)).toEqual([]);
  expect(await database.read('SELECT * FROM other')).toEqual([]);
  await database.close();
});

describe('the migrations on PGlite', () => {
  // A connection beside it would be the same, and its end that of the database in memory.
  it.each(['none', 'each'] as const)('need no second connection with transactions for %s', async (transaction) => {
    const dataSource = await new DataSource({ ...pgliteHere(), ...MIGRATED } as never).initialize();
    await dataSource.runMigrations({ transaction });
    expect(await differences(dataSource)).toEqual([]);
    await dataSource.destroy();
  });

  it('run once, however many start them at once', async () => {
    const dataSource = await new DataSource({ ...pgliteHere(), ...MIGRATED } as never).initialize();
    const runs = await Promise.all([runMigrations(dataSource), runMigrations(dataSource)]);
    expect(runs.map(({ length }) => length)).toEqual([FILES_MIGRATIONS.length, 0]);
    expect(await differences(dataSource)).toEqual([]);
    await dataSource.destroy();
  });
});
