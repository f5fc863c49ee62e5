import type { DynamicModule } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { FilesModule, FilesService } from 'nestjs-files';
import { FILES_ENTITIES } from 'nestjs-files/entities';
import { FILES_MIGRATIONS, runMigrations } from 'nestjs-files/migrations';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, Table } from 'typeorm';
import type { DataSourceOptions, MigrationInterface, QueryRunner } from 'typeorm';
import { PGliteDriver } from 'typeorm-pglite';
import { expect, it, onTestFinished, vi } from 'vitest';
import { IN_MEMORY, reachableDatabases } from '../../support/databases.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { newDirectory } from '../../support/files-directory.js';

@Entity()
export class Package {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('uuid', { nullable: true }) attachmentId!: string | null;
}

class CreatePackages1767312000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const id = { name: 'id', type: 'uuid', isPrimary: true, default: 'gen_random_uuid()' };
    const columns = [id, { name: 'attachmentId', type: 'uuid', isNullable: true }];
    await runner.createTable(new Table({ name: 'package', columns }));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('package');
  }
}

const modules = {
  pglite: () =>
    TypeOrmModule.forRoot({
      type: 'postgres',
      driver: new PGliteDriver({ dataDir: 'pglite' }).driver, // or {}: in memory
      installExtensions: false,
      uuidExtension: 'pgcrypto',
      autoLoadEntities: true,
    }),
  file: () => TypeOrmModule.forRoot({ type: 'better-sqlite3', database: 'app.sqlite', autoLoadEntities: true }),
  postgres: () =>
    TypeOrmModule.forRoot({ type: 'postgres', url: process.env.DATABASE_URL, autoLoadEntities: true, poolSize: 20 }),
  mariadb: () =>
    TypeOrmModule.forRoot({ type: 'mariadb', url: process.env.DATABASE_URL, autoLoadEntities: true, poolSize: 20 }),
  migrated: () =>
    TypeOrmModule.forRoot({
      type: 'postgres',
      url: process.env.DATABASE_URL,
      entities: [...FILES_ENTITIES, Package],
      migrations: [...FILES_MIGRATIONS, CreatePackages1767312000000],
      migrationsRun: true,
    }),
};

function urlOf(options: DataSourceOptions): string {
  const { type, host, port, username, password, database } = options as unknown as Record<string, string | undefined>;
  const login = `${username}${password ? `:${password}` : ''}`;
  return `${type}://${login}@${host}:${port}/${database}`;
}

async function boot(database: () => DynamicModule) {
  const here = process.cwd();
  process.chdir(newDirectory());
  const imports = [database(), FilesModule.forRoot({ storages: { default: memoryStorage() } })];
  const testing = await Test.createTestingModule({ imports }).compile();
  await testing.init();
  process.chdir(here);
  onTestFinished(() => testing.close());
  return { files: testing.get(FilesService), dataSource: testing.get(DataSource) };
}

it('runs every example of the pages about databases', async () => {
  expect(await examplesNotRun('databases.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('migrations.md', import.meta.url)).toEqual([]);
});

for (const kind of ['file', 'postgres', 'mariadb', 'migrated'] as const) {
  const [database] = await reachableDatabases(kind === 'migrated' ? 'postgres' : kind);

  it.skipIf(!database)(`manages files in the database of the pages: ${kind}`, async () => {
    const empty = await database!.open({ entities: [] });
    onTestFinished(() => empty.close());
    vi.stubEnv('DATABASE_URL', urlOf(empty.dataSource.options));
    const { files, dataSource } = await boot(modules[kind]);
    vi.unstubAllEnvs();
    if (kind !== 'migrated') await dataSource.synchronize();

    const file = await files.create(Buffer.from('x'), { name: 'x' });

    expect((await files.findOrFail(file.id)).size).toBe(1);
    if (kind !== 'migrated') return;
    await dataSource.transaction(async (manager) => {
      await manager.insert(Package, { attachmentId: null });
    });
  });
}

it('manages files in the database of the pages: pglite', async () => {
  const { files, dataSource } = await boot(modules.pglite);
  await dataSource.synchronize();

  const file = await files.create(Buffer.from('x'), { name: 'x' });

  expect((await files.findOrFail(file.id)).size).toBe(1);
});

it('asks the master', async () => {
  const dataSource = await new DataSource({ ...IN_MEMORY, entities: [Package], synchronize: true }).initialize();
  onTestFinished(() => dataSource.destroy());
  const { id } = await dataSource.manager.save(Package, { attachmentId: null });
  const find = async (ownerId: string) => {
    const runner = dataSource.createQueryRunner('master');
    try {
      return await runner.manager.findOneBy(Package, { id: ownerId });
    } finally {
      await runner.release();
    }
  };
  expect(await find(id)).toMatchObject({ id });
});

it('migrates in one process at a time', async () => {
  const dataSource = new DataSource({
    type: 'better-sqlite3',
    database: ':memory:',
    entities: [...FILES_ENTITIES],
    migrations: [...FILES_MIGRATIONS],
  });
  onTestFinished(() => dataSource.destroy());
  await dataSource.initialize(); // without `migrationsRun`
  const done = await runMigrations(dataSource); // [] in the processes that waited
  expect(done).toHaveLength(FILES_MIGRATIONS.length);
  expect(await runMigrations(dataSource)).toEqual([]);
});
