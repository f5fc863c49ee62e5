import { FileField, OwnsFiles } from 'nestjs-files';
import { FILES_ENTITIES } from 'nestjs-files/entities';
import { createGuards, dropGuards, FILES_MIGRATIONS, guardMigration } from 'nestjs-files/migrations';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, Table } from 'typeorm';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { expect, it, onTestFinished, vi } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import { examplesNotRun } from '../../support/doc-examples.js';

@Entity()
@OwnsFiles('package')
class Package {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @FileField() @Column('uuid', { nullable: true }) attachmentId!: string | null;
}

/** As the table was before. */
@Entity('package')
@OwnsFiles('package')
class OldPackage {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

class CreatePackages1767312000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const id = { name: 'id', type: 'uuid', isPrimary: true, default: 'gen_random_uuid()' };
    const columns = [id, { name: 'attachmentId', type: 'uuid', isNullable: true }];
    const indices = [{ columnNames: ['attachmentId'] }];
    await runner.createTable(new Table({ name: 'package', columns, indices }));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('package');
  }
}

export class GuardPackages1767398400000 extends guardMigration([Package]) {}

class RenameAttachments1767484800000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await dropGuards(runner, [Package]);
    await runner.renameColumn('package', 'fileId', 'attachmentId');
    await createGuards(runner, [Package]);
  }

  async down(runner: QueryRunner): Promise<void> {
    await dropGuards(runner, [Package]);
    await runner.renameColumn('package', 'attachmentId', 'fileId');
  }
}

it('runs every example of the page about guards in the database', async () => {
  expect(await examplesNotRun('guarded-records-database.md', import.meta.url)).toEqual([]);
});

const [postgres] = await reachableDatabases('postgres');
const foreign = `INSERT INTO package ("attachmentId") VALUES (gen_random_uuid())`;

it.skipIf(!postgres)('guards from one migration to its reversal', async () => {
  const { options, drop } = await postgres!.create();
  onTestFinished(drop);
  const { username, host, port, database, password } = options as unknown as Record<string, string>;
  vi.stubEnv('DATABASE_URL', `postgres://${username}:${password}@${host}:${port}/${database}`);
  const dataSource = new DataSource({
    type: 'postgres',
    url: process.env.DATABASE_URL,
    entities: [...FILES_ENTITIES, Package],
    migrations: [...FILES_MIGRATIONS, CreatePackages1767312000000, GuardPackages1767398400000],
  });
  vi.unstubAllEnvs();
  await dataSource.initialize();
  onTestFinished(() => dataSource.destroy());

  await dataSource.runMigrations();

  await expect(dataSource.query(foreign)).rejects.toMatchObject({ driverError: { constraint: 'files_not_own' } });
  expect((await dataSource.driver.createSchemaBuilder().log()).upQueries).toEqual([]);
  await dataSource.undoLastMigration();
  await dataSource.query(foreign);
  const runner = dataSource.createQueryRunner();
  await expect(createGuards(runner, [Package])).rejects.toThrow('names file');
  await runner.release();
  await dataSource.query('DELETE FROM package');
  await dataSource.runMigrations({ transaction: 'none' });
  await expect(dataSource.query(foreign)).rejects.toThrow('not its own');
});

it.skipIf(!postgres)('lets a guarded column be renamed between dropping and making guards', async () => {
  const { dataSource, connect, close } = await postgres!.open({ entities: [...FILES_ENTITIES, OldPackage] });
  onTestFinished(close);
  const runner = dataSource.createQueryRunner();
  await createGuards(runner, [OldPackage]);
  await expect(dataSource.query('ALTER TABLE package DROP "fileId"')).rejects.toThrow('depend');
  const renamed = await connect({ entities: [...FILES_ENTITIES, Package] });
  const { up, down } = RenameAttachments1767484800000.prototype;

  await renamed.transaction((manager) => up(manager.queryRunner!));

  await expect(dataSource.query(foreign)).rejects.toThrow('not its own');
  await renamed.transaction((manager) => down(manager.queryRunner!));
  await dataSource.query(`INSERT INTO package ("fileId") VALUES (gen_random_uuid())`);
  await runner.release();
});
