import { Readable } from 'node:stream';
import { FilesService } from 'nestjs-files';
import { FilesLinks } from 'nestjs-files/links';
import { FilesSweeper, Quotas } from 'nestjs-files/maintenance';
import type { FileFilter } from 'nestjs-files';
import { expect } from 'vitest';
import { FAILURE, Shelf } from './pages-app.js';
import type { Page, PagesApp } from './pages-app.js';

type Check = (app: PagesApp) => Promise<void>;

const files = ({ nest }: PagesApp): FilesService => nest.get(FilesService);
const owner = async (app: PagesApp, id: string) => {
  const { ownerType, ownerId, pinned } = await files(app).findOrFail(id);
  return { ownerType, ownerId, pinned };
};
const ada = { ownerType: 'user', ownerId: 'ada', pinned: false };
const page = (ownerId: string) => ({ ownerType: 'page', ownerId, pinned: true });

async function attach(app: PagesApp, count: number): Promise<void> {
  const ids = await Promise.all(Array.from({ length: count }, (_, at) => app.upload(`part ${at}`)));
  const { status, body } = await app.send('POST', '/pages', { parts: ids.map((fileId) => ({ fileId })) });
  expect([status, body.parts.length]).toEqual([201, count]);
  const owned = await files(app).findMany(ids);
  expect(owned.map(({ ownerId }) => ownerId)).toEqual(
    ids.map((id) => body.parts.find(({ fileId }) => fileId === id)?.id),
  );
}

function form(title: string): FormData {
  const made = new FormData();
  made.append('title', title);
  made.append('attachmentId', new Blob(['formed']), 'formed.txt');
  return made;
}

/** What holds in every configuration; besides them, that the tables are those of the entities. */
export const CHECKS: Readonly<Record<string, Check>> = {
  'uploads, and gives the same bytes back': async (app) => {
    const id = await app.upload('the bytes');
    const response = await app.fetch(`/files/${id}/content`);
    expect([response.status, await response.text()]).toEqual([200, 'the bytes']);
  },

  'gives a range of a file in the database': async (app) => {
    const { id } = await files(app).create(Buffer.from('0123456789'), { name: 'a.txt', storage: 'rows', owner: null });
    await files(app).transferOwnership(id, { ownerType: 'user', ownerId: 'ada' });
    const response = await app.fetch(`/files/${id}/content`, { headers: { range: 'bytes=2-4' } });
    expect([response.status, await response.text()]).toEqual([206, '234']);
  },

  'attaches a file': async (app) => {
    const attachmentId = await app.upload('attached');
    const { status, body } = await app.send('POST', '/pages', { attachmentId });
    expect([status, await owner(app, attachmentId)]).toEqual([201, page(body.id)]);
  },

  'attaches 10 files': (app) => attach(app, 10),
  'attaches 100 files': (app) => attach(app, 100),

  'leaves the file the user’s where the handler fails': async (app) => {
    const attachmentId = await app.upload('failing');
    const { status } = await app.send('POST', '/pages', { attachmentId, title: 'failed', isFailing: true });
    expect([status, await owner(app, attachmentId)]).toEqual([500, ada]);
    expect(await app.pages.titles()).not.toContain('failed');
  },

  'leaves it so where a task fails': async (app) => {
    const attachmentId = await app.upload('failing');
    const failing = app.pages.queue.run(async () => {
      await files(app).transferOwnership(attachmentId, { ownerType: 'other', ownerId: '1' });
      app.pages.queue.add(() => Promise.reject(FAILURE));
    });
    await expect(failing).rejects.toBe(FAILURE);
    expect(await owner(app, attachmentId)).toEqual(ada);
  },

  'refuses the file of somebody else': async (app) => {
    const attachmentId = await app.upload('of bob', 'bob');
    expect((await app.send('POST', '/pages', { attachmentId })).status).toBe(400);
    expect(await owner(app, attachmentId)).toEqual({ ...ada, ownerId: 'bob' });
  },

  'saves a form with its file': async (app) => {
    const response = await app.fetch('/pages/form', { method: 'POST', body: form('formed') });
    const { id, attachmentId } = (await response.json()) as Page;
    expect([response.status, await owner(app, attachmentId!)]).toEqual([201, page(id)]);
  },

  'leaves nothing of a form that fails': async (app) => {
    const before = (await files(app).search({ limit: 0 })).count;
    const response = await app.fetch('/pages/form', { method: 'POST', body: form('failing') });
    expect([response.status, (await files(app).search({ limit: 0 })).count]).toEqual([500, before]);
    expect(await app.pages.titles()).not.toContain('failing');
  },

  'commits a nested unit with the outer one': async (app) => {
    await app.pages.queue.run(() => app.pages.add('nested'));
    const undone = app.pages.queue.run(async () => {
      await app.pages.add('nested and undone');
      throw FAILURE;
    });
    await expect(undone).rejects.toBe(FAILURE);
    expect(await app.pages.titles()).toContain('nested');
    expect(await app.pages.titles()).not.toContain('nested and undone');
  },

  'undoes a nested unit alone': async (app) => {
    await app.pages.queue.run(async () => {
      await expect(app.pages.add('failing inside')).rejects.toBe(FAILURE);
      await app.pages.add('going on');
    });
    expect(await app.pages.titles()).toContain('going on');
    expect(await app.pages.titles()).not.toContain('failing inside');
  },

  'joins a transaction of the application': async (app) => {
    const id = await app.upload('joined');
    const { id: saved } = await app.dataSource.transaction(async () => {
      const added = await app.pages.add('joined');
      await files(app).transferOwnership(id, { ownerType: 'page', ownerId: added.id, pin: true });
      return added;
    });
    expect(await owner(app, id)).toEqual(page(saved));
  },

  'goes with a transaction of the application': async (app) => {
    const id = await app.upload('joined');
    const undone = app.dataSource.transaction(async () => {
      const { id: ownerId } = await app.pages.add('joined and undone');
      await files(app).transferOwnership(id, { ownerType: 'page', ownerId });
      throw FAILURE;
    });
    await expect(undone).rejects.toBe(FAILURE);
    expect(await owner(app, id)).toEqual(ada);
    expect(await app.pages.titles()).not.toContain('joined and undone');
  },

  'creates a file in a unit': async (app) => {
    const create = () => files(app).create(Buffer.from('made'), { name: 'made.txt', owner: null });
    const { id, location } = await app.pages.queue.run(create);
    expect([(await files(app).findOrFail(id)).size, await app.storage.exists(location)]).toEqual([4, true]);
  },

  'leaves no bytes of a file whose unit fails': async (app) => {
    let location = '';
    const undone = app.pages.queue.run(async () => {
      ({ location } = await files(app).create(Buffer.from('made'), { name: 'made.txt', owner: null }));
      throw FAILURE;
    });
    await expect(undone).rejects.toBe(FAILURE);
    expect([location === '', await app.storage.exists(location)]).toEqual([false, false]);
  },

  'hears of an error that the handler swallows': async (app) => {
    const swallowing = app.pages.queue.run(async () => {
      await app.pages.add('swallowed');
      await app.dataSource.query('SELECT * FROM no_such_table').catch(() => undefined);
    });
    // The transaction of PostgreSQL is lost by then, that of the others is not.
    const isLost = app.dataSource.options.type === 'postgres';
    const outcome = await swallowing.then(
      () => 'saved',
      (error: { code: string }) => error.code,
    );
    expect(outcome).toBe(isLost ? 'FILES_UNIT_ABORTED' : 'saved');
    expect((await app.pages.titles()).includes('swallowed')).toBe(!isLost);
  },

  'finds files by their columns': async (app) => {
    const id = await app.upload('found', 'carol', 'Größe_100%.txt');
    const found = async (filters: FileFilter) => (await files(app).search({ filters })).results.map((file) => file.id);
    expect(await found({ owner: { type: 'user', id: 'carol' }, size: { $gte: 5 } })).toEqual([id]);
    expect(await found({ name: { $like: String.raw`Größe\_100\%%` } })).toEqual([id]);
    expect(await found({ name: { $ilike: '%_100%.TXT' } })).toEqual([id]);
    expect(await found({ name: { $like: 'größe%' } })).toEqual([]);
  },

  'finds files by JSON': async (app) => {
    const id = await app.upload('json');
    const metadata = { path: String.raw`c:\temp`, n: 9, deep: { is: true } };
    await app.dataSource.manager.update('ManagedFile', { id }, { metadata });
    const filters = { metadata: { path: String.raw`c:\temp`, n: { $gt: 8 }, deep: { is: true } } };
    expect((await files(app).search({ filters })).results.map((file) => file.id)).toEqual([id]);
  },

  'gives pages of a list': async (app) => {
    const ids: string[] = [];
    for (const name of ['c.txt', 'a.txt', 'b.txt']) ids.push(await app.upload(name, 'dora', name));
    const seen: string[] = [];
    for (let cursor: string | null | undefined; cursor !== null;) {
      const options = { ownerType: 'user', ownerId: 'dora', sort: ['name', 'desc'] as const, limit: 1 };
      const found = await files(app).scan({ ...options, ...(cursor && { cursor }) } as never);
      seen.push(...found.results.map(({ name }) => name));
      cursor = found.next;
    }
    expect(seen).toEqual(['c.txt', 'b.txt', 'a.txt']);
  },

  'keeps quotas': async (app) => {
    await app.upload('12345', 'poor');
    const uploads = await Promise.allSettled([app.upload('12345', 'poor'), app.upload('12345', 'poor')]);
    expect(uploads.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await app.nest.get(Quotas).usage({ type: 'user', id: 'poor' })).toEqual({ bytes: 10, count: 2 });
  },

  'lets go of a file that is detached': async (app) => {
    const attachmentId = await app.upload('detached');
    const { body } = await app.send('POST', '/pages', { attachmentId });
    expect((await app.send('PATCH', `/pages/${body.id}`, { attachmentId: null })).status).toBe(200);
    expect(await owner(app, attachmentId)).toEqual({ ownerType: null, ownerId: null, pinned: false });
  },

  'deletes files with their owner': async (app) => {
    const attachmentId = await app.upload('removed');
    const { body } = await app.send('POST', '/pages', { attachmentId });
    const { location } = await files(app).findOrFail(attachmentId);
    expect((await app.send('DELETE', `/pages/${body.id}`)).status).toBe(200);
    expect([await files(app).findMany([attachmentId]), await app.storage.exists(location)]).toEqual([[], false]);
  },

  'keeps an owner that has files': async (app) => {
    const shelves = app.dataSource.getRepository(Shelf);
    const shelf = await shelves.save(shelves.create());
    const ownerId = shelf.id;
    const id = await app.upload('held');
    await files(app).transferOwnership(id, { ownerType: 'shelf', ownerId });
    await expect(shelves.remove(shelf)).rejects.toMatchObject({ code: 'FILES_OWNER_HAS_FILES' });
    const nowhere = files(app).transferOwnership(id, { ownerType: 'shelf', ownerId: ownerId.replace(/.$/, 'x') });
    await expect(nowhere).rejects.toMatchObject({ code: 'FILES_OWNER_NOT_FOUND' });
  },

  'sweeps what a failed storage left': async (app) => {
    const id = await app.upload('swept');
    const { location } = await files(app).findOrFail(id);
    app.storage.failAt(1, 'before');
    await files(app).delete(id);
    expect(await app.storage.exists(location)).toBe(true);
    expect(await app.nest.get(FilesSweeper).sweep()).toMatchObject({ finished: 1, failed: 0 });
    expect(await app.storage.exists(location)).toBe(false);
  },

  'lets one of many who race win': async (app) => {
    const attachmentId = await app.upload('raced');
    const answers = await Promise.all(Array.from({ length: 5 }, () => app.send('POST', '/pages', { attachmentId })));
    const winners = answers.filter(({ status }) => status === 201);
    expect(winners).toHaveLength(1);
    for (const { status } of answers) expect([201, 400, 409]).toContain(status);
    expect(await owner(app, attachmentId)).toEqual(page(winners[0]!.body.id));
  },

  'opens a one-time link once': async (app) => {
    const links = app.nest.get(FilesLinks);
    const { token } = await links.oneTime(await app.upload('linked'));
    const opened = await Promise.allSettled(Array.from({ length: 4 }, () => links.open(token!)));
    const codes = opened.flatMap((one) => (one.status === 'rejected' ? [(one.reason as { code: string }).code] : []));
    expect(codes).toEqual(Array(3).fill('FILES_LINK_USED'));
  },

  'registers, renames, replaces, copies and tells the history': async (app) => {
    await app.storage.write('found.txt', Readable.from(['found']));
    const { id } = await files(app).register('found.txt', { owner: { type: 'user', id: 'ada' } });
    await files(app).rename(id, 'renamed.txt');
    await files(app).replace(id, Buffer.from('replaced'));
    const copy = await files(app).copy(id, { owner: null });
    await files(app).pin(id);
    expect(await files(app).findOrFail(id)).toMatchObject({ name: 'renamed.txt', size: 8, pinned: true });
    expect((await files(app).findOrFail(copy.id)).hash).toBe((await files(app).findOrFail(id)).hash);
    expect((await files(app).history(id)).map(({ action }) => action)).toEqual(['create', 'pin']);
  },
};
