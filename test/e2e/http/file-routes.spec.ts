import { describe, expect, it } from 'vitest';
import { OwnerPolicy } from '../../../lib/index.js';
import type { FileOwnerPolicy } from '../../../lib/index.js';
import type { Actor } from '../../../lib/actor/actor.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { FileTransfer } from '../../../lib/ownership/file-transfer.entity.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { newDirectory } from '../../support/files-directory.js';
import { IN_MEMORY } from '../../support/databases.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';
import type { HttpApp } from '../../support/http-app.js';

const UNKNOWN = '0193b3a0-0000-7000-8000-000000000000';

/** Packages 1 to 9; anna may change the first ones, everybody sees those with even numbers. */
@OwnerPolicy('package')
class Packages implements FileOwnerPolicy {
  allows(operation: string, actor: Actor | null, ownerId: string): boolean {
    if (actor?.id === 'anna' && Number(ownerId) < 5) return true;
    return operation === 'read' && Number(ownerId) % 2 === 0;
  }
}

interface Answer {
  status: number;
  body: Record<string, unknown> & { code?: string; message?: string };
}

describe.each(PLATFORMS)('the routes of a file on %s', (platform) => {
  const start = (setup: { database?: typeof IN_MEMORY } = {}) =>
    startApp({ platform, providers: [Packages], options: { cascade: { package: true } }, ...setup });

  const call = async (app: HttpApp, user: string | undefined, method: string, path: string, body?: unknown) => {
    const json =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const response = await app.fetch(path, { method, ...(user && { user }), ...json });
    const answer = await response.text();
    return { status: response.status, body: answer === '' ? {} : JSON.parse(answer) } as Answer;
  };

  const fileOf = async (app: HttpApp, owner: string, content = 'hello', name = 'notes.txt') => {
    const { id } = await uploadFile(app, 'admin', formWith(content, name));
    const [ownerType, ownerId] = owner.includes(':') ? owner.split(':') : ['user', owner];
    const { status } = await call(app, 'admin', 'POST', `/files/${id}/transfer`, { ownerType, ownerId });
    expect(status).toBe(200);
    return id;
  };

  const rows = async (app: HttpApp) => JSON.stringify(await app.dataSource.getRepository(ManagedFile).find());

  describe('PATCH', () => {
    it('changes the name and nothing else', async () => {
      const app = await start();
      const before = await uploadFile(app, 'anna', formWith('hello'));
      const answer = await call(app, 'anna', 'PATCH', `/files/${before.id}`, { name: ' Grüße/2024.txt' });
      expect(answer).toEqual({ status: 200, body: { ...before, name: 'Grüße_2024.txt' } });
      expect((await call(app, 'anna', 'GET', `/files/${before.id}`)).body).toEqual(answer.body);
    });

    it.each([
      ['no body', undefined],
      ['a list', []],
      ['no name', {}],
      ['a name that is no text', { name: 7 }],
      ['a field named constructor', { constructor: { a: {} } }],
      ['a name that is an object', { name: { toString: 'x' } }],
    ])('refuses %s in the form of the library, without a ValidationPipe of the application', async (_, body) => {
      const app = await start();
      const { id } = await uploadFile(app, 'anna', formWith('hello'));
      const { status, body: answer } = await call(app, 'anna', 'PATCH', `/files/${id}`, body);
      expect([status, answer.code]).toEqual([400, 'FILES_REQUEST_INVALID']);
    });

    it.each(['', '  ', 'x'.repeat(256)])('refuses the name %j', async (name) => {
      const app = await start();
      const { id } = await uploadFile(app, 'anna', formWith('hello'));
      expect(await call(app, 'anna', 'PATCH', `/files/${id}`, { name })).toMatchObject({
        status: 400,
        body: { code: 'FILES_FILE_NAME_INVALID' },
      });
    });
  });

  describe('PUT content', () => {
    const put = async (app: HttpApp, id: string, body: string | undefined, headers: Record<string, string> = {}) => {
      const response = await app.fetch(`/files/${id}/content`, {
        method: 'PUT',
        user: 'anna',
        body: body ?? null,
        headers: { 'content-type': 'application/octet-stream', ...headers },
      });
      return { status: response.status, body: await response.json() } as Answer;
    };

    it('gives the file new content, at once and for good', async () => {
      const app = await start();
      const before = await uploadFile(app, 'anna', formWith('hello'));
      const content = 'other words\n'.repeat(100_000);
      const { status, body } = await put(app, before.id, content);
      expect([status, body]).toMatchObject([200, { id: before.id, size: content.length, name: 'notes.txt' }]);
      expect(body['hash']).not.toBe(before['hash']);
      expect(await (await app.fetch(`/files/${before.id}/content`, { user: 'anna' })).text()).toBe(content);
      expect(await app.stored()).toHaveLength(1);
    });

    it.each<[string, number, string, Record<string, string>, string?]>([
      ['a form', 415, 'FILES_FILE_TYPE_CHANGED', { 'content-type': 'multipart/form-data; boundary=x' }],
      ['another type', 415, 'FILES_FILE_TYPE_CHANGED', {}, '<!doctype html><p>hello'],
      ['a part of a file', 400, 'FILES_UPLOAD_MALFORMED', { 'content-range': 'bytes 0-4/10' }],
      ['encoded content', 400, 'FILES_UPLOAD_MALFORMED', { 'content-encoding': 'gzip' }],
      ['what is for another state', 412, 'FILES_PRECONDITION_FAILED', { 'if-match': '"other"' }],
      ['what is for a missing file', 412, 'FILES_PRECONDITION_FAILED', { 'if-none-match': '*' }],
      ['what is too large', 413, 'FILES_FILE_TOO_LARGE', {}, 'x'.repeat(101)],
    ])('refuses %s and changes nothing', async (_, status, code, headers, body = 'other') => {
      const root = newDirectory();
      const app = await startApp({ platform, options: { storages: { default: fsStorage({ root, maxSize: 100 }) } } });
      const { id } = await uploadFile(app, 'anna', formWith('hello'));
      const before = await rows(app);
      expect(await put(app, id, body, headers)).toMatchObject({ status, body: { code } });
      expect(await rows(app)).toBe(before);
      expect(await (await app.fetch(`/files/${id}/content`, { user: 'anna' })).text()).toBe('hello');
    });

    it('lets one of two clients win that change the same state', async () => {
      const app = await start();
      const { id, hash } = await uploadFile(app, 'anna', formWith('hello'));
      const headers = { 'if-match': `"${String(hash)}"` };
      const answers = await Promise.all([put(app, id, 'one', headers), put(app, id, 'two', headers)]);
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412]);
      expect(await app.stored()).toHaveLength(1);
    });

    it("does not change a file that became another owner's while the bytes came", async () => {
      const app = await start();
      const { id } = await uploadFile(app, 'anna', formWith('hello'));
      let more: ReadableStreamDefaultController<Uint8Array> | undefined;
      const body = new ReadableStream<Uint8Array>({ start: (controller) => void (more = controller) });
      const init = { method: 'PUT', user: 'anna', body, duplex: 'half' } as RequestInit;
      const answer = app.fetch(`/files/${id}/content`, init);
      more?.enqueue(Buffer.from('x'.repeat(100_000)));
      // The new bytes are on their way into the storage: the first look at who may is over.
      await expect.poll(() => app.stored()).toHaveLength(2);
      const to = { ownerType: 'user', ownerId: 'ben' };
      expect((await call(app, 'admin', 'POST', `/files/${id}/transfer`, to)).status).toBe(200);
      more?.close();
      expect((await answer).status).toBe(404);
      expect(await (await app.fetch(`/files/${id}/content`, { user: 'ben' })).text()).toBe('hello');
      expect(await app.stored()).toHaveLength(1);
    });
  });

  describe('POST transfer', () => {
    it('gives a file to an owner, and the history knows by whom', async () => {
      const app = await start();
      const { id } = await uploadFile(app, 'anna', formWith('hello'));
      const answer = await call(app, 'anna', 'POST', `/files/${id}/transfer`, {
        ownerType: 'package',
        ownerId: '1',
        pin: true,
      });
      expect(answer).toMatchObject({ status: 200, body: { ownerType: 'package', ownerId: '1', pinned: true } });
      const { body } = await call(app, 'anna', 'GET', `/files/${id}/history`);
      expect(body).toMatchObject([
        { action: 'create', toType: 'user', toId: 'anna', actorType: 'user', actorId: 'anna' },
        { action: 'transfer', fromId: 'anna', toType: 'package', toId: '1', actorId: 'anna', forced: false },
      ]);
    });

    it.each<[string, string | undefined, string, object, number, string]>([
      ['of a stranger', 'ben', 'anna', {}, 404, 'FILES_FILE_NOT_FOUND'],
      ['of nobody', undefined, 'anna', {}, 404, 'FILES_FILE_NOT_FOUND'],
      ['of who may only see it', 'ben', 'package:2', {}, 403, 'FILES_ACCESS_DENIED'],
      ['of nobody who may see it', undefined, 'package:2', {}, 401, 'FILES_AUTHENTICATION_REQUIRED'],
      ["to an owner who is not the actor's", 'anna', 'anna', { ownerId: '8' }, 403, 'FILES_ACCESS_DENIED'],
      ['to another user', 'anna', 'anna', { ownerType: 'user', ownerId: 'ben' }, 403, 'FILES_ACCESS_DENIED'],
      ['to an owner of no type', 'anna', 'anna', { ownerType: '' }, 400, 'FILES_OWNER_REFERENCE_INVALID'],
      ['to an owner who is a number', 'anna', 'anna', { ownerId: 1 }, 400, 'FILES_REQUEST_INVALID'],
      ['with a pin that is a text', 'anna', 'anna', { pin: 'yes' }, 400, 'FILES_REQUEST_INVALID'],
      ['by force', 'anna', 'anna', { force: true }, 403, 'FILES_ACCESS_DENIED'],
    ])('refuses one %s and changes nothing', async (_, user, owner, to, status, code) => {
      const app = await start();
      const id = await fileOf(app, owner);
      const before = await rows(app);
      const body = { ownerType: 'package', ownerId: '1', ...to };
      expect(await call(app, user, 'POST', `/files/${id}/transfer`, body)).toMatchObject({ status, body: { code } });
      expect(await rows(app)).toBe(before);
    });

    it('leaves a pinned file alone, unless a manager forces it', async () => {
      const app = await start();
      const id = await fileOf(app, 'anna');
      expect(await call(app, 'anna', 'PUT', `/files/${id}/pin`)).toMatchObject({ status: 200, body: { pinned: true } });
      const to = { ownerType: 'package', ownerId: '1' };
      expect(await call(app, 'anna', 'POST', `/files/${id}/transfer`, to)).toMatchObject({
        status: 409,
        body: { code: 'FILES_FILE_PINNED' },
      });
      const forced = await call(app, 'admin', 'POST', `/files/${id}/transfer`, { ...to, force: true });
      expect(forced).toMatchObject({ status: 200, body: { ownerId: '1', pinned: true } });
      const { body } = await call(app, 'admin', 'GET', `/files/${id}/history`);
      expect((body as unknown as FileTransfer[]).at(-1)).toMatchObject({ actorId: 'admin', forced: true });
    });
  });

  describe('PUT and DELETE pin', () => {
    it('pin a file and unpin it, any number of times', async () => {
      const app = await start();
      const id = await fileOf(app, 'anna');
      for (const [method, pinned] of [
        ['PUT', true],
        ['PUT', true],
        ['DELETE', false],
        ['DELETE', false],
      ] as const) {
        const answer = await call(app, 'anna', method, `/files/${id}/pin`);
        expect(answer).toMatchObject({ status: 200, body: { id, pinned } });
      }
      const actions = await app.dataSource.getRepository(FileTransfer).find({ where: { fileId: id, actorId: 'anna' } });
      expect(actions.map(({ action }) => action)).toEqual(['pin', 'unpin']);
    });

    it('refuse an unowned file', async () => {
      const app = await startApp({ platform, options: { uploads: () => true } });
      const response = await app.fetch('/files', { method: 'POST', body: formWith('hello') });
      const { id } = (await response.json()) as { id: string };
      expect(await call(app, 'admin', 'PUT', `/files/${id}/pin`)).toMatchObject({
        status: 409,
        body: { code: 'FILES_FILE_UNOWNED' },
      });
    });
  });

  describe('GET history', () => {
    it('answers actors who may change the file', async () => {
      const app = await start();
      const id = await fileOf(app, 'package:2');
      expect((await call(app, 'anna', 'GET', `/files/${id}/history`)).status).toBe(200);
      expect(await call(app, 'ben', 'GET', `/files/${id}/history`)).toMatchObject({ status: 403 });
      expect(await call(app, 'ben', 'GET', `/files/${await fileOf(app, 'package:3')}/history`)).toMatchObject({
        status: 404,
      });
    });

    it('outlives the file, for managers', async () => {
      const app = await start();
      const id = await fileOf(app, 'anna');
      await call(app, 'anna', 'DELETE', `/files/${id}`);
      expect((await call(app, 'anna', 'GET', `/files/${id}/history`)).status).toBe(404);
      const { body } = await call(app, 'admin', 'GET', `/files/${id.toUpperCase()}/history`);
      expect((body as unknown as FileTransfer[]).map(({ action }) => action)).toEqual(['create', 'transfer', 'delete']);
      expect((await call(app, 'admin', 'GET', `/files/${UNKNOWN}/history`)).status).toBe(404);
    });
  });

  describe('GET', () => {
    const list = async (app: HttpApp, user: string | undefined, query: Record<string, string> = {}) => {
      const { status, body } = await call(app, user, 'GET', `/files?${String(new URLSearchParams(query))}`);
      const found = body as { count?: number; results?: { name: string }[]; next?: string | null; code?: string };
      return {
        status,
        code: found.code,
        count: found.count,
        names: found.results?.map(({ name }) => name),
        next: found.next,
      };
    };
    const filled = async () => {
      const app = await start();
      for (const [owner, content, name] of [
        ['anna', 'a', 'a.txt'],
        ['anna', 'bb', 'b.txt'],
        ['ben', 'ccc', 'c.txt'],
        ['package:1', 'dddd', 'd.txt'],
        ['package:2', 'eeeee', 'e.txt'],
      ] as const) {
        await fileOf(app, owner, content, name);
      }
      return app;
    };

    it("lists the actor's own files, page by page", async () => {
      const app = await filled();
      expect(await list(app, 'anna')).toMatchObject({ status: 200, count: 2, names: ['a.txt', 'b.txt'], next: null });
      const first = await list(app, 'anna', { sort: 'size:desc', limit: '1' });
      expect(first).toMatchObject({ count: 2, names: ['b.txt'] });
      const second = await list(app, 'anna', { sort: '[["size","desc"]]', limit: '1', cursor: first.next ?? '' });
      expect(second).toMatchObject({ names: ['a.txt'], next: null });
      expect(await list(app, 'anna', { offset: '1' })).toMatchObject({ names: ['b.txt'] });
      expect(await list(app, undefined)).toMatchObject({ status: 401, code: 'FILES_AUTHENTICATION_REQUIRED' });
    });

    it('lists the files of an owner to actors who may see them', async () => {
      const app = await filled();
      const owner = { ownerType: 'package', ownerId: '2' };
      expect(await list(app, 'anna', owner)).toMatchObject({ status: 200, names: ['e.txt'] });
      // Who may open all of its files may list them.
      expect(await list(app, 'ben', owner)).toMatchObject({ status: 200, names: ['e.txt'] });
      const closed = { ownerType: 'package', ownerId: '1' };
      expect(await list(app, 'ben', closed)).toMatchObject({ status: 403, code: 'FILES_ACCESS_DENIED' });
      expect(await list(app, undefined, closed)).toMatchObject({ status: 401 });
      expect(await list(app, 'ben', { ownerType: 'user', ownerId: 'anna' })).toMatchObject({ status: 403 });
      expect(await list(app, 'admin', owner)).toMatchObject({ names: ['e.txt'] });
    });

    it('lists all files for managers only', async () => {
      const app = await filled();
      expect(await list(app, 'admin', { limit: '2' })).toMatchObject({ count: 5, names: ['a.txt', 'b.txt'] });
      const filters = JSON.stringify({ size: { $gt: 2 }, ownerType: 'user' });
      expect(await list(app, 'admin', { filters })).toMatchObject({ names: ['c.txt'] });
      expect(await list(app, 'anna', { filters })).toMatchObject({ count: 0, names: [] });
      const escape = JSON.stringify({ $or: [{ ownerId: 'ben' }, { ownerId: 'anna' }] });
      expect(await list(app, 'anna', { filters: escape })).toMatchObject({ names: ['a.txt', 'b.txt'] });
    });

    it('does not tell where bytes are', async () => {
      const app = await filled();
      const response = await app.fetch('/files', { user: 'admin' });
      const [file] = ((await response.json()) as { results: object[] }).results;
      expect(Object.keys(file ?? {})).not.toContain('location');
      const queries: Record<string, string>[] = [
        { filters: '{"location":{"$like":"a%"}}' },
        { filters: '{"$or":[{"$and":[{"storageData":{"key":1}}]}]}' },
        { filters: '{"storageData.key":1}' },
        { sort: 'location' },
        { sort: '[["locationKey","desc"]]' },
        { sort: '["name",["location","asc"]]' },
      ];
      for (const query of queries) expect(await list(app, 'anna', query)).toMatchObject({ status: 400 });
      expect(await list(app, 'admin', { sort: 'location' })).toMatchObject({ status: 200 });
    });

    it.each<[Record<string, string> | string, string]>([
      [{ limit: '-1' }, 'FILES_REQUEST_INVALID'],
      [{ limit: 'all' }, 'FILES_REQUEST_INVALID'],
      [{ limit: '1001' }, 'FILES_SEARCH_QUERY_INVALID'],
      [{ offset: '9'.repeat(400) }, 'FILES_SEARCH_QUERY_INVALID'],
      [{ filters: '{' }, 'FILES_SEARCH_QUERY_INVALID'],
      [{ filters: '[]' }, 'FILES_SEARCH_QUERY_INVALID'],
      [{ filters: '{"nothing":1}' }, 'FILES_SEARCH_QUERY_INVALID'],
      [{ sort: 'nothing' }, 'FILES_SEARCH_QUERY_INVALID'],
      [{ sort: 'name:up' }, 'FILES_SEARCH_QUERY_INVALID'],
      [{ sort: '[{"toString":1}]' }, 'FILES_SEARCH_QUERY_INVALID'],
      [{ cursor: 'x' }, 'FILES_SEARCH_QUERY_INVALID'],
      [{ ownerType: 'package' }, 'FILES_REQUEST_INVALID'],
      [{ ownerType: 'package', ownerId: '' }, 'FILES_OWNER_REFERENCE_INVALID'],
      [{ ownerType: 'package', ownerId: '\0' }, 'FILES_OWNER_REFERENCE_INVALID'],
      ['limit=1&limit=2', 'FILES_REQUEST_INVALID'],
      ['filters[size]=1&filters[name]=2&sort=a&sort=b', 'FILES_REQUEST_INVALID'],
    ])('refuses %j', async (query, code) => {
      const app = await start();
      const path = `/files?${typeof query === 'string' ? query : String(new URLSearchParams(query))}`;
      for (const user of ['anna', 'admin']) {
        expect(await call(app, user, 'GET', path)).toMatchObject({ status: 400, body: { code } });
      }
    });
  });

  describe('POST', () => {
    const several = (...contents: string[]) => {
      const body = new FormData();
      for (const [index, content] of contents.entries()) body.append('file', new Blob([content]), `${index}.txt`);
      return body;
    };

    it('takes several files and answers them in their order', async () => {
      const app = await start();
      const contents = ['small', 'large\n'.repeat(100_000), '', 'x'.repeat(300_000), 'last'];
      const response = await app.fetch('/files?multiple=true', {
        method: 'POST',
        user: 'anna',
        body: several(...contents),
      });
      expect(response.status).toBe(201);
      const { files } = (await response.json()) as { files: { id: string; name: string }[] };
      expect(files.map(({ name }) => name)).toEqual(contents.map((_, index) => `${index}.txt`));
      const texts = files.map(async ({ id }) => (await app.fetch(`/files/${id}/content`, { user: 'anna' })).text());
      expect(await Promise.all(texts)).toEqual(contents);
      const created = await app.dataSource.getRepository(FileTransfer).findBy({ action: 'create', actorId: 'anna' });
      expect(created).toHaveLength(contents.length);
    });

    it.each([
      ['', 1, 201, { name: '0.txt' }],
      ['?multiple=false', 1, 201, { name: '0.txt' }],
      ['?multiple=true', 1, 201, { files: [{ name: '0.txt' }] }],
      ['?multiple=true', 2, 201, { files: [{ name: '0.txt' }, { name: '1.txt' }] }],
      ['', 2, 400, { code: 'FILES_UPLOAD_MALFORMED' }],
      ['?multiple=yes', 1, 400, { code: 'FILES_REQUEST_INVALID' }],
      ['?multiple=true&multiple=true', 1, 400, { code: 'FILES_REQUEST_INVALID' }],
    ])('answers "%s" with %i files in one shape', async (query, count, status, answer) => {
      const app = await start();
      const body = several(...Array.from({ length: count }, () => 'hello'));
      const response = await app.fetch(`/files${query}`, { method: 'POST', user: 'anna', body });
      expect([response.status, await response.json()]).toMatchObject([status, answer]);
      expect(await app.stored()).toHaveLength(status === 201 ? count : 0);
    });

    it('stores no file of several when one is refused', async () => {
      const root = newDirectory();
      const storages = { default: fsStorage({ root, maxSize: 100 }) };
      const app = await startApp({ platform, options: { storages } });
      const body = several('fine', 'fine too', 'x'.repeat(101));
      const response = await app.fetch('/files?multiple=true', { method: 'POST', user: 'anna', body });
      expect([response.status, await response.json()]).toMatchObject([413, { code: 'FILES_FILE_TOO_LARGE' }]);
      expect(await rows(app)).toBe('[]');
      expect(await app.dataSource.query('SELECT * FROM files_intent')).toEqual([]);
      expect(await app.dataSource.query('SELECT * FROM files_transfer')).toEqual([]);
    });

    it('stores no file of several when the last row cannot be written', async () => {
      const app = await start({ database: IN_MEMORY });
      await app.dataSource.query(
        `CREATE TRIGGER refuse BEFORE INSERT ON files_file WHEN NEW.name = '2.txt' BEGIN SELECT RAISE(ABORT, 'no'); END`,
      );
      const response = await app.fetch('/files?multiple=true', {
        method: 'POST',
        user: 'anna',
        body: several('a', 'b', 'c'),
      });
      expect(response.status).toBe(500);
      expect([await rows(app), await app.stored()]).toEqual(['[]', []]);
      expect(await app.dataSource.query('SELECT * FROM files_intent')).toEqual([]);
    });
  });

  it.each([
    ['PATCH', '', { name: 'x' }],
    ['DELETE', '', undefined],
    ['PUT', '/content', undefined],
    ['POST', '/transfer', { ownerType: 'user', ownerId: 'ben' }],
    ['PUT', '/pin', undefined],
    ['DELETE', '/pin', undefined],
    ['GET', '/history', undefined],
  ])('answer %s %s of a stranger as if the file did not exist', async (method, path, body) => {
    const app = await start();
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const before = await rows(app);
    for (const user of ['ben', undefined]) {
      for (const written of [id, id.toUpperCase()]) {
        const real = await call(app, user, method, `/files/${written}${path}`, body);
        const missing = await call(app, user, method, `/files/${UNKNOWN}${path}`, body);
        expect(real.status).toBe(404);
        expect(JSON.stringify(real).replace(id, UNKNOWN)).toBe(JSON.stringify(missing));
      }
    }
    expect(await rows(app)).toBe(before);
  });
});
