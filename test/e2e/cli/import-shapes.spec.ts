import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { Module } from '@nestjs/common';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import {
  ChildEntity,
  Column,
  DataSource,
  DefaultNamingStrategy,
  DeleteDateColumn,
  Entity,
  IsNull,
  PrimaryColumn,
  TableInheritance,
} from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FileField, FilesModule, FilesService, OwnsFiles } from '../../../lib/index.js';
import { StorageRegistry } from '../../../lib/entry/storage.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { reachableDatabases } from '../../support/databases.js';
import type { EmptyDatabase } from '../../support/databases.js';
import { emptyPast } from '../../support/past-the-guard.js';
import { runCli } from '../../support/run-cli.js';

class Place {
  @Column('varchar', { nullable: true }) oldPath!: string | null;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

/** With its columns in an embedded object, and a key that is a uuid. */
@Entity()
@OwnsFiles('sheet')
class Sheet {
  @PrimaryColumn('uuid') id!: string;
  @Column(() => Place) front!: Place;
  @DeleteDateColumn() removedAt!: Date | null;
}

/** One table for several classes. */
@Entity()
@OwnsFiles('medium')
@TableInheritance({ column: { type: 'varchar', name: 'kind' } })
class Medium {
  @PrimaryColumn('integer') id!: number;
  @Column('varchar', { nullable: true }) oldPath!: string | null;
  @FileField() @Column('varchar', { length: 36, nullable: true }) fileId!: string | null;
}

@ChildEntity('film')
class Film extends Medium {
  @FileField() @Column('uuid', { nullable: true }) posterId!: string | null;
}

const counted = { to: (id: bigint) => String(1000n - id), from: (stored: string | number) => 1000n - BigInt(stored) };

/** Keys that a transformer changes, and columns that are not selected unless asked for. */
@Entity()
@OwnsFiles('scan', { idField: 'code' })
class Scan {
  @PrimaryColumn('bigint', { transformer: counted }) id!: bigint;
  @Column('varchar', { select: false }) code!: string;
  @Column('varchar', { select: false }) oldPath!: string;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

/** Names as `fileId` becomes `c_fileid`. */
class PlainNames extends DefaultNamingStrategy {
  override columnName(property: string, custom: string | undefined, prefixes: string[]): string {
    return `c_${[...prefixes, custom ?? property].join('_').toLowerCase()}`;
  }
}

describe.each(await reachableDatabases('file', 'postgres', 'mariadb'))('import on $name', (database) => {
  describe.each([
    ['the usual names', undefined],
    ['a naming strategy', new PlainNames()],
  ])('with %s', (_, namingStrategy) => {
    let empty: EmptyDatabase;
    let app: INestApplicationContext;
    let dataSource: DataSource;
    let module: Type;
    const storage = memoryStorage();

    beforeAll(async () => {
      // Each command has a context of its own, and a database in memory would be another one for it.
      empty = await database.create();
      @Module({
        imports: [
          TypeOrmModule.forRoot({
            ...empty.options,
            ...(namingStrategy && { namingStrategy }),
            synchronize: true,
            autoLoadEntities: true,
            retryAttempts: 0,
          } as TypeOrmModuleOptions),
          TypeOrmModule.forFeature([Sheet, Medium, Film, Scan]),
          FilesModule.forRoot({ storages: { default: storage }, sweeper: false }),
        ],
      })
      class ImportModule {}
      module = ImportModule;
      app = await NestFactory.createApplicationContext(module, { logger: ['error'] });
      dataSource = app.get(DataSource);
    });
    beforeEach(() => emptyPast(dataSource));
    afterAll(async () => {
      await app.close();
      await empty.drop();
    });

    const put = async (...locations: string[]): Promise<void> => {
      const registry = app.get(StorageRegistry).get('default');
      for (const location of locations) {
        await registry.remove(location);
        await registry.write(location, Readable.from([Buffer.from(`of ${location}`)]));
      }
    };
    const run = (entity: string, column: string, field: string) =>
      runCli(module, ['import', '--from-column', `${entity}.${column}`, '--field', field, '--storage', 'default']);

    it('fills the columns of an embedded object', async () => {
      await put('a.txt', 'b.txt', 'gone.txt');
      const ids = [randomUUID(), randomUUID(), randomUUID()];
      const rows = ['a.txt', 'b.txt', 'gone.txt'].map((oldPath, at) => ({
        id: ids[at]!,
        front: { oldPath, fileId: null },
      }));
      await dataSource.getRepository(Sheet).insert(rows);
      await dataSource.getRepository(Sheet).softDelete({ id: ids[2]! });
      expect(await run('Sheet', 'front.oldPath', 'front.fileId')).toMatchObject({ code: 0, out: '' });
      const sheets = await dataSource.getRepository(Sheet).find({ withDeleted: true });
      for (const { id, front } of sheets) {
        if (id === ids[2]) expect(front.fileId).toBeNull();
        else {
          const file = await app.get(FilesService).findOrFail(front.fileId ?? '');
          expect(file).toMatchObject({ location: front.oldPath, ownerType: 'sheet', ownerId: id, pinned: true });
        }
      }
      expect(await runCli(module, ['verify'])).toMatchObject({ code: 0, out: '' });
    });

    it('fills records whose columns are not selected, or go through a transformer', async () => {
      await put('1.txt', '2.txt');
      const scans = dataSource.getRepository(Scan);
      await scans.insert([1n, 2n, 3n].map((id) => ({ id, code: `c${id}`, oldPath: `${id}.txt`, fileId: null })));
      const args = ['--from-column', 'Scan.oldPath', '--field', 'fileId', '--storage', 'default', '--batch', '1'];
      const { code, out } = await runCli(module, ['import', ...args]);
      expect([code, out]).toEqual([1, expect.stringContaining('failed: {"id":"3"} 3.txt')]);
      const named = await scans.find({ select: { id: true, code: true, fileId: true }, order: { id: 'DESC' } });
      expect(named.map(({ id, fileId }) => [id, fileId !== null])).toEqual([
        [1n, true],
        [2n, true],
        [3n, false],
      ]);
      const file = await app.get(FilesService).findOrFail(named[0]!.fileId!);
      expect(file).toMatchObject({ location: '1.txt', ownerType: 'scan', ownerId: 'c1', pinned: true });
    });

    it('fills a field of one class of a table, and of no other', async () => {
      await put('film.txt', 'medium.txt');
      await dataSource.getRepository(Medium).insert({ id: 1, oldPath: 'medium.txt', fileId: null });
      await dataSource.getRepository(Film).insert({ id: 2, oldPath: 'film.txt', fileId: null, posterId: null });
      expect(await run('Film', 'oldPath', 'posterId')).toMatchObject({ code: 0, out: '' });
      const film = await dataSource.getRepository(Film).findOneByOrFail({ id: 2 });
      expect(await app.get(FilesService).findOrFail(film.posterId ?? '')).toMatchObject({
        location: 'film.txt',
        ownerType: 'medium',
        ownerId: '2',
      });
      expect(await dataSource.getRepository(Medium).countBy({ id: 1, fileId: IsNull() })).toBe(1);
      expect(await run('Medium', 'oldPath', 'fileId')).toMatchObject({ code: 1 });
      expect(await dataSource.getRepository(Medium).findOneByOrFail({ id: 1 })).toMatchObject({
        fileId: expect.any(String) as string,
      });
      expect(await runCli(module, ['verify'])).toMatchObject({ code: 0, out: '' });
    });
  });
});
