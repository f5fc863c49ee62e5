import { FILES_ENTITIES } from 'nestjs-files/entities';
import { FILES_MIGRATIONS, runMigrations } from 'nestjs-files/migrations';
import { DataSource } from 'typeorm';
import type { DataSourceOptions, MigrationInterface, QueryRunner } from 'typeorm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import { installedPooler, transactionPooler } from '../../support/transaction-pooler.js';

class CreateIndex1767312000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE TABLE thing (id int)');
    await runner.query('CREATE INDEX CONCURRENTLY ix_thing ON thing (id)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE thing');
  }
}

const [postgres] = (await reachableDatabases('postgres')).filter(({ kind }) => kind === 'postgres');
const binary = postgres && installedPooler();

describe.runIf(binary)('migrations through a pooler that gives each transaction another session', () => {
  it.each(['all', 'each', 'none'] as const)('run in one process of many, with transactions for %s', async (mode) => {
    const { options, drop } = await postgres!.create();
    const pooler = await transactionPooler(binary!, options);
    const open = async (through: DataSourceOptions) => {
      const migrations = [...FILES_MIGRATIONS, ...(mode === 'none' ? [CreateIndex1767312000000] : [])];
      const more = { entities: [...FILES_ENTITIES], migrations, poolSize: 1 };
      return new DataSource({ ...through, ...more } as DataSourceOptions).initialize();
    };
    const sources = await Promise.all([1, 2, 3, 4].map(() => open(pooler.through(options))));
    const direct = await open(options);
    onTestFinished(async () => {
      for (const source of [...sources, direct]) await source.destroy();
      await pooler.stop();
      await drop();
    });
    const ran = await Promise.all(sources.map((source) => runMigrations(source, { transaction: mode })));
    expect(ran.filter(({ length }) => length > 0)).toHaveLength(1);
    const locks = `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    expect(await direct.query(locks)).toEqual([]);
    expect(await runMigrations(sources[0]!, { transaction: mode })).toEqual([]);
    const { upQueries } = await direct.driver.createSchemaBuilder().log();
    expect(upQueries).toEqual([]);
  });
});
