import { Body, Controller, Inject, Module, Post, ValidationPipe } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { IsUUID } from 'class-validator';
import { Column, DataSource, Entity, IsNull, JoinColumn, ManyToOne, Not, PrimaryGeneratedColumn } from 'typeorm';
import type { Relation } from 'typeorm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FilesService, TaskQueue, TransferOwnership, WithTaskQueue } from 'nestjs-files';
import { DirectUploads } from 'nestjs-files/uploads';
import type { FilesModuleOptions } from 'nestjs-files';
import { ManagedFile } from 'nestjs-files/entities';
import { FilesDrafts, FilesSweeper, Quotas } from 'nestjs-files/maintenance';
import { fsStorage } from 'nestjs-files/storage/fs';
import { checkOptions } from '../../../lib/files.options.js';
import { reachableDatabases } from '../../support/databases.js';
import type { TestDatabase } from '../../support/databases.js';
import { directStorage } from '../../support/direct-storage.js';
import { filesBelow, newDirectory } from '../../support/files-directory.js';
import { gate } from '../../support/gate.js';
import { formWith, startApp, uploadFile } from '../../support/http-app.js';

const DAY = 86_400_000;

@Entity()
class Letter {
  @PrimaryGeneratedColumn() id!: number;
  @Column('uuid') attachmentId!: string;
}

/** Names a file by a foreign key, without owning it. */
@Entity()
class Shelf {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => ManagedFile) @JoinColumn() file!: Relation<ManagedFile>;
}

class LetterDto {
  @IsUUID() @TransferOwnership('letter') attachmentId!: string;
}

/** Called between the early check of the file and its transfer. */
const pause = { before: async (): Promise<void> => undefined };

@Controller('letters')
class LettersController {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  @Post() @WithTaskQueue() async create(@Body() dto: LetterDto): Promise<Letter> {
    await pause.before();
    return this.dataSource.getRepository(Letter).save({ ...dto });
  }
}

@Module({
  imports: [TypeOrmModule.forFeature([Letter, Shelf])],
  controllers: [LettersController],
  providers: [{ provide: APP_PIPE, useValue: new ValidationPipe({ transform: true }) }],
})
class LettersModule {}

async function start(kind: TestDatabase, options: Partial<FilesModuleOptions> = {}) {
  const { options: connection, drop } = await kind.create();
  onTestFinished(() => drop());
  const direct = directStorage({ partSize: 100 });
  const root = newDirectory();
  const storages = { default: fsStorage({ root }), direct: direct.storage };
  const quotas = { user: { bytes: 1000 } };
  const app = await startApp({
    database: connection,
    options: { storages, drafts: { expireAfter: '7d' }, sweeper: false, quotas, ...options },
    imports: [LettersModule],
  });
  const files = app.app.get(FilesService);
  const rows = app.dataSource.getRepository(ManagedFile);
  return {
    ...app,
    root,
    direct,
    files,
    rows,
    drafts: app.app.get(FilesDrafts),
    upload: (user: string, content = 'draft') => uploadFile(app, user, formWith(content)),
    attach: (id: string, user = 'ada') =>
      app.fetch('/letters', {
        method: 'POST',
        user,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ attachmentId: id }),
      }),
    /** The time of all drafts is over. */
    later: () => rows.update({ expiresAt: Not(IsNull()) }, { expiresAt: new Date(Date.now() - 1) }),
    left: async () => (await rows.find({ order: { id: 'ASC' } })).map(({ id }) => id),
  };
}

const databases = await reachableDatabases('memory', 'postgres', 'mariadb');

describe.each(databases)('drafts on $name', (kind) => {
  it('are deleted when nobody has attached them in time, with their bytes, and leave the quota', async () => {
    const { app, root, upload, later, left, drafts, files, fetch } = await start(kind);
    const { id, expiresAt } = await upload('ada');
    const inDays = (Date.parse(String(expiresAt)) - Date.now()) / DAY;
    expect(inDays).toBeGreaterThan(6.9);
    expect(inDays).toBeLessThanOrEqual(7);
    expect(await (await fetch(`/files/${id}`, { user: 'ada' })).json()).toMatchObject({ id, expiresAt });
    expect(await drafts.preview()).toEqual([]);
    expect(await drafts.expire()).toEqual({ expired: 0, bytes: 0, kept: 0 });

    await later();
    expect(await drafts.preview()).toMatchObject([{ id, size: 5 }]);
    expect(await left()).toEqual([id]);
    expect(await drafts.expire()).toEqual({ expired: 1, bytes: 5, kept: 0 });
    expect(await left()).toEqual([]);
    // It waits for the removals of bytes.
    await app.get(FilesSweeper).sweep();
    expect(await filesBelow(root)).toEqual([]);
    expect((await files.history(id)).at(-1)).toMatchObject({
      action: 'expire',
      fromType: 'user',
      fromId: 'ada',
      toType: null,
      actorType: null,
    });
    expect(await app.get(Quotas).usage({ type: 'user', id: 'ada' })).toMatchObject({ bytes: 0, count: 0 });
  });

  it('are listed by the preview of the sweeper, and deleted by it', async () => {
    const { app, upload, later, left, rows } = await start(kind);
    const { id } = await upload('ada');
    await later();
    const { location, createdAt } = await rows.findOneByOrFail({ id });
    const step = { storage: 'default', location, kind: 'draft', since: createdAt, outcome: 'remove' };
    expect(await app.get(FilesSweeper).preview()).toEqual([step]);
    expect(await app.get(FilesSweeper).sweep()).toMatchObject({ expired: 1, failed: 0 });
    expect(await left()).toEqual([]);
  });

  it('are no longer any once they are attached, pinned, released or given to somebody', async () => {
    const { upload, attach, later, left, drafts, files, rows } = await start(kind);
    const ids: string[] = [];
    for (const _ of [1, 2, 3, 4, 5]) ids.push((await upload('ada')).id);
    const [attached, pinned, returned, kept, given] = ids as [string, string, string, string, string];
    expect((await attach(attached)).status).toBe(201);
    await files.pin(pinned);
    await files.unpin(pinned);
    await files.transferOwnership(returned, { ownerType: 'team', ownerId: '1' });
    await files.transferOwnership(returned, { ownerType: 'user', ownerId: 'ada' });
    await files.transferOwnership(kept, { ownerType: 'user', ownerId: 'ada' });
    await files.transferOwnership([given], { ownerType: 'user', ownerId: 'bob' });
    expect(await rows.countBy({ expiresAt: Not(IsNull()) })).toBe(0);
    await later();
    expect(await drafts.expire()).toMatchObject({ expired: 0 });
    expect(await left()).toEqual(ids);
  });

  it('are uploads only: files that the application makes, copies or registers stay', async () => {
    const { files, upload, rows } = await start(kind);
    const ada = { type: 'user', id: 'ada' };
    const made = await files.create(Buffer.from('made'), { name: 'a.txt', owner: ada });
    const { id } = await upload('ada');
    const copy = await files.copy(id, { owner: ada });
    const { location } = await files.create(Buffer.from('old'), { name: 'b.txt', owner: null });
    await rows.delete({ location });
    const registered = await files.register(location, { owner: ada });
    expect([made, copy, registered].map(({ expiresAt }) => expiresAt)).toEqual([null, null, null]);
    const asked = await files.create(Buffer.from('made'), { name: 'a.txt', owner: ada, draft: true });
    const nobodys = await files.create(Buffer.from('made'), { name: 'a.txt', owner: null, draft: true });
    expect([asked.expiresAt, nobodys.expiresAt]).toEqual([expect.any(Date), null]);
  });

  it('have their time again when they get new content', async () => {
    const { files, upload, later, rows } = await start(kind);
    const { id } = await upload('ada');
    const made = await files.create(Buffer.from('made'), { name: 'a.txt', owner: { type: 'user', id: 'ada' } });
    await later();
    await files.replace(id, Buffer.from('better'));
    await files.replace(made.id, Buffer.from('better'));
    const { expiresAt } = await rows.findOneByOrFail({ id });
    expect(expiresAt?.getTime()).toBeGreaterThan(Date.now() + 6 * DAY);
    expect((await rows.findOneByOrFail({ id: made.id })).expiresAt).toBeNull();
  });

  it('are direct uploads, too, unless they were begun for somebody else', async () => {
    const { app, direct, fetch, rows } = await start(kind);
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ name: 'a.txt', size: 5, storage: 'direct' });
    const begun = await fetch('/files/uploads', { method: 'POST', user: 'ada', headers, body });
    const { id, url } = (await begun.json()) as { id: string; url: string };
    direct.send(url, '12345');
    const completed = await fetch(`/files/uploads/${id}/complete`, { method: 'POST', user: 'ada' });
    expect(await completed.json()).toMatchObject({ id, expiresAt: expect.any(String) as string });

    const uploads = app.get(DirectUploads);
    const theirs = await uploads.begin({
      name: 'b.txt',
      size: 5,
      storage: 'direct',
      actor: { type: 'user', id: 'ada' },
      owner: { type: 'team', id: '1' },
    });
    direct.send((theirs as unknown as { url: string }).url, '12345');
    await uploads.complete(theirs.id);
    expect((await rows.findOneByOrFail({ id: theirs.id })).expiresAt).toBeNull();
  });

  it('are resumable uploads, too', async () => {
    const { fetch, rows } = await start(kind);
    const headers = {
      'tus-resumable': '1.0.0',
      'upload-length': '5',
      'content-type': 'application/offset+octet-stream',
    };
    const answer = await fetch('/files/tus', { method: 'POST', user: 'ada', headers, body: 'draft' });
    const id = answer.headers.get('file-id') ?? '';
    expect((await rows.findOneByOrFail({ id })).expiresAt).toBeInstanceOf(Date);
  });

  it('stay while a row of the application refers to them, and the others go', async () => {
    const { upload, later, left, drafts, dataSource, rows } = await start(kind);
    const [one, used, two] = [await upload('ada'), await upload('ada'), await upload('bob')].map(({ id }) => id);
    await dataSource.getRepository(Shelf).save({ file: { id: used as string } });
    await later();
    expect(await drafts.expire()).toEqual({ expired: 2, bytes: 10, kept: 1 });
    expect(await left()).toEqual([used]);
    expect(await rows.countBy({ id: used as string, expiresAt: IsNull() })).toBe(1);
    expect([one, two]).not.toContain(undefined);
    expect(await drafts.expire()).toEqual({ expired: 0, bytes: 0, kept: 0 });
  });

  it('are passed over while they are being attached', async () => {
    const { app, upload, later, left, drafts, files, rows } = await start(kind);
    // Another user's: the transfer has locked the row of ada's quota.
    const [{ id }, { id: other }] = [await upload('ada'), await upload('bob')];
    await later();
    const [given, end] = [gate(), gate()];
    const transfer = app.get(TaskQueue).run(async () => {
      await files.transferOwnership(id, { ownerType: 'letter', ownerId: '1' });
      given.open();
      await end.opened;
    });
    await given.opened;
    const expiry = drafts.expire();
    // SQLite has one writer at a time.
    if (kind.kind !== 'memory') expect(await expiry).toMatchObject({ expired: 1 });
    end.open();
    await transfer;
    expect(await expiry).toMatchObject({ expired: 1 });
    expect(await left()).toEqual([id]);
    expect(other).not.toBe(id);
    expect(await rows.findOneByOrFail({ id })).toMatchObject({ ownerType: 'letter', expiresAt: null });
  });

  it('end at one of two, expiry or attachment, however many of both there are at once', async () => {
    const { upload, attach, later, left, drafts, dataSource } = await start(kind, { quotas: {} });
    const ids: string[] = [];
    for (let count = 0; count < 12; count++) ids.push((await upload('ada')).id);
    await later();
    const [statuses] = await Promise.all([
      Promise.all(ids.map(async (id) => (await attach(id)).status)),
      drafts.expire(),
      drafts.expire(),
    ]);
    await drafts.expire();
    const attached = ids.filter((_, index) => statuses[index] === 201);
    expect(await left()).toEqual(attached.toSorted());
    const letters = await dataSource.getRepository(Letter).find();
    expect(letters.map(({ attachmentId }) => attachmentId).toSorted()).toEqual(attached.toSorted());
    expect(statuses.filter((status) => ![201, 400, 409].includes(status))).toEqual([]);
  });
});

describe.each(databases.filter(({ kind }) => kind !== 'memory'))('a draft that expires on $name', (kind) => {
  it('refuses the record that was about to be saved with it', async () => {
    const { upload, attach, later, left, drafts, dataSource } = await start(kind);
    const { id } = await upload('ada');
    await later();
    pause.before = async () => void (await drafts.expire());
    onTestFinished(() => void (pause.before = async () => undefined));
    const answer = await attach(id);
    expect(answer.status).toBe(409);
    expect(await answer.json()).toMatchObject({ code: 'FILES_FILE_CHANGED' });
    expect(await left()).toEqual([]);
    expect(await dataSource.getRepository(Letter).count()).toBe(0);
  });
});

const [here] = databases;

it('keeps the uploads of before the option, and of nobody', async () => {
  const { options: connection, drop } = await here!.create();
  onTestFinished(() => drop());
  const root = newDirectory();
  const begin = (further: Partial<FilesModuleOptions>) =>
    startApp({
      ...(connection.database === ':memory:' ? {} : { database: connection }),
      options: { storages: { default: fsStorage({ root }) }, sweeper: false, uploads: () => true, ...further },
    });
  const before = await begin({});
  expect(await uploadFile(before, 'ada', formWith('old'))).toMatchObject({ expiresAt: null });
  expect(await before.app.get(FilesDrafts).expire()).toEqual({ expired: 0, bytes: 0, kept: 0 });
  expect(await before.app.get(FilesDrafts).preview()).toEqual([]);
  const on = await begin({ drafts: { expireAfter: 1000 }, actor: () => null });
  expect(await uploadFile(on, 'nobody', formWith('new'))).toMatchObject({ ownerId: null, expiresAt: null });
});

it.each([{ expireAfter: '7 days' }, { expireAfter: 0 }, { expireAfter: -1 }, { expireAfter: '99999w' }, {}])(
  'refuses the option drafts: %o',
  (drafts) => {
    const storages = { default: fsStorage({ root: 'x' }) };
    expect(() => checkOptions({ storages, drafts: drafts as never })).toThrow(/drafts\.expireAfter/);
  },
);
