import { Readable } from 'node:stream';
import { Controller, Delete, HttpCode, Param, ParseIntPipe } from '@nestjs/common';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ByteRemovals } from '../../../lib/files/content/byte-removals.js';
import { FileField, ManagedFile, OwnsFiles, TaskQueue, WithTaskQueue } from '../../../lib/index.js';
import { FileIntent } from '../../../lib/entry/entities.js';
import { databaseStorage, StoredBytes } from '../../../lib/storage/adapters/database.storage.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { HeldStorage } from '../../support/held-storage.js';
import { PLATFORMS } from '../../support/http-app.js';

@Entity()
@OwnsFiles('crate', { onDelete: 'delete' })
class Crate {
  @PrimaryGeneratedColumn() id!: number;
}

@Entity()
@OwnsFiles('cabinet', { onDelete: 'delete' })
class Cabinet {
  @PrimaryGeneratedColumn() id!: number;
  @FileField({ onReplace: 'delete' }) @Column('simple-json', { nullable: true }) fileIds!: string[] | null;
}

@Entity()
@OwnsFiles('locker', { onDelete: 'release' })
class Locker {
  @PrimaryGeneratedColumn() id!: number;
  @FileField({ onReplace: 'release' }) @Column('simple-json', { nullable: true }) fileIds!: string[] | null;
}

const OWNERS = { crate: Crate, cabinet: Cabinet, locker: Locker };
type OwnerType = keyof typeof OWNERS;

const COUNTED = [
  ['crate', '', 'default'],
  ['cabinet', '', 'default'],
  ['cabinet', '', 'rows'],
  ['locker', '', 'default'],
  ['cabinet', '/files', 'default'],
  ['locker', '/files', 'default'],
] as const;

@Controller('owners')
class Owners {
  constructor(private readonly dataSource: DataSource) {}

  @Delete(':type/:id') @HttpCode(204) @WithTaskQueue() async remove(
    @Param('type') type: OwnerType,
    @Param('id', ParseIntPipe) id: number,
  ): Promise<void> {
    const owners = this.dataSource.getRepository<{ id: number }>(OWNERS[type]);
    await owners.remove(await owners.findOneByOrFail({ id }));
  }

  @Delete(':type/:id/files') @HttpCode(204) @WithTaskQueue() async empty(
    @Param('type') type: 'cabinet' | 'locker',
    @Param('id', ParseIntPipe) id: number,
  ): Promise<void> {
    await this.dataSource
      .getRepository<{ id: number; fileIds: string[] | null }>(OWNERS[type])
      .save({ id, fileIds: null });
  }
}

const databases = await reachableDatabases('memory', 'postgres', 'mariadb');
const worlds = databases.flatMap((database) =>
  PLATFORMS.map((platform) => ({ database, platform, name: database.name })),
);

describe.each(worlds)('An owner of many files on $name with $platform', ({ database, platform }) => {
  const storage = new HeldStorage();
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({
      database,
      platform,
      entities: Object.values(OWNERS),
      controllers: [Owners],
      options: {
        storages: { default: storage, rows: databaseStorage() },
        quotas: { cabinet: { count: 1000 } },
        concurrentRemovals: 3,
      },
    });
  });
  afterEach(() => storage.release());
  afterAll(() => app.close());

  const settled = () => app.app.get(ByteRemovals).idle();
  const count = (entity: typeof FileIntent | typeof StoredBytes) => app.dataSource.getRepository(entity).count();
  const kept = async () => (await storage.list().next()).done !== true;

  /** An owner that has so many files, and names them where it has a field for that. */
  async function ownerOf(type: OwnerType, files: number, where = 'default'): Promise<number> {
    const { id } = await app.dataSource.getRepository<{ id: number }>(OWNERS[type]).save({});
    async function* contents() {
      const owner = { type, id: String(id) };
      for (let at = 0; at < files; at++)
        yield { content: Readable.from([Buffer.from('x')]), name: `${at}.txt`, storage: where, owner };
    }
    const fileIds = (await app.files.createAll(contents())).map((file) => file.id);
    if (type !== 'crate')
      await app.dataSource.getRepository<{ id: number; fileIds: string[] }>(OWNERS[type]).save({ id, fileIds });
    return id;
  }

  /** What it takes, until the bytes are gone as well. */
  async function statementsOf(path: string): Promise<string[]> {
    app.statements.length = 0;
    expect(await app.send('DELETE', path)).toMatchObject({ status: 204 });
    await settled();
    return app.statements.map((sql) => sql.trim().split(/\s+/).slice(0, 3).join(' '));
  }

  // Of the platform they do not depend.
  it.each(platform === 'express' ? COUNTED : [])(
    'takes as many statements for 200 files as for one: %s%s, in storage %s',
    async (type, path, where) => {
      const taken: string[][] = [];
      for (const files of [1, 10, 200])
        taken.push(await statementsOf(`/owners/${type}/${await ownerOf(type, files, where)}${path}`));
      expect(taken[1]).toEqual(taken[0]);
      expect(taken[2]).toEqual(taken[0]);
      const files = app.dataSource.getRepository(ManagedFile);
      const left = type === 'locker' ? 211 : 0;
      expect([await files.count(), await kept(), await count(FileIntent)]).toEqual([left, left > 0, 0]);
      expect(await count(StoredBytes)).toBe(0);
      await Promise.all((await files.find()).map(({ location }) => storage.remove(location)));
      await files.clear();
    },
  );

  it.each(['crate', 'cabinet'] as const)(
    'gets its answer to %s before a slow storage has removed anything',
    async (type) => {
      const id = await ownerOf(type, 20);
      storage.hold();
      expect(await app.send('DELETE', `/owners/${type}/${id}`)).toMatchObject({ status: 204 });
      expect([await app.dataSource.getRepository(ManagedFile).count(), await count(FileIntent)]).toEqual([0, 20]);
      expect(await kept()).toBe(true);
      storage.release();
      await settled();
      expect([await kept(), await count(FileIntent)]).toEqual([false, 0]);
    },
  );

  it('causes at most `concurrentRemovals` removals at once, of all requests together', async () => {
    const ids = [await ownerOf('crate', 10), await ownerOf('cabinet', 10)];
    storage.hold();
    expect(await app.send('DELETE', `/owners/crate/${ids[0]}`)).toMatchObject({ status: 204 });
    expect(await app.send('DELETE', `/owners/cabinet/${ids[1]}`)).toMatchObject({ status: 204 });
    await storage.underWay(3);
    storage.release();
    await settled();
    expect([storage.most, await kept(), await count(FileIntent)]).toEqual([3, false, 0]);
  });

  it('removes the bytes of a single file after the answer, too', async () => {
    const id = await app.upload('ada');
    storage.hold();
    await app.files.replace(id, Buffer.from('new'));
    expect(await app.send('DELETE', `/files/${id}`)).toMatchObject({ status: 204 });
    expect(await count(FileIntent)).toBe(2);
    storage.release();
    await settled();
    expect([await kept(), await count(FileIntent)]).toEqual([false, 0]);
  });

  it('keeps the intents of files that could not be removed, and drops the others', async () => {
    const id = await ownerOf('crate', 5);
    storage.failAt(2, 'before');
    expect(await app.send('DELETE', `/owners/crate/${id}`)).toMatchObject({ status: 204 });
    await settled();
    expect([await count(FileIntent), await kept()]).toEqual([1, true]);
    const [left] = await app.dataSource.getRepository(FileIntent).find();
    expect(await storage.exists(left!.location)).toBe(true);
    await storage.remove(left!.location);
    await app.dataSource.getRepository(FileIntent).clear();
  });

  it.runIf(platform === 'express')('takes two statements more for each further thousand of files', async () => {
    const removal = async (count: number) => {
      const { id } = await app.dataSource.getRepository(Crate).save({});
      const owner = { type: 'crate', id: String(id) };
      for (let at = 0; at < count; at += 1000) {
        const locations = Array.from({ length: Math.min(1000, count - at) }, (_, n) => `${id}/${at + n}`);
        for (const location of locations) await storage.write(location, Readable.from([Buffer.from('x')]));
        await app.files.registerAll(locations.map((location) => ({ location, owner })));
      }
      app.statements.length = 0;
      const crates = app.dataSource.getRepository(Crate);
      await app.app.get(TaskQueue).run(async () => crates.remove(await crates.findOneByOrFail({ id })));
      await settled();
      return app.statements.map((sql) => sql.trim().split(/\s+/).slice(0, 3).join(' '));
    };
    const few = await removal(2);
    const many = await removal(6000);
    expect([...new Set(many)]).toEqual([...new Set(few)]);
    expect(many.length - few.length).toBeLessThanOrEqual(2 * 5);
    expect([await app.dataSource.getRepository(ManagedFile).count(), await kept(), await count(FileIntent)]).toEqual([
      0,
      false,
      0,
    ]);
  });
});
