import { expect, it, describe } from 'vitest';
import { FilesService, OwnerPolicy } from '../../../lib/index.js';
import type { Actor, FileOwnerPolicy, FilesModuleOptions, OwnerOperation } from '../../../lib/index.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { formWith, startApp } from '../../support/http-app.js';
import type { HttpApp } from '../../support/http-app.js';

type Grants = Partial<Record<OwnerOperation, boolean | null>>;

/** What Ben may do with packages; others may nothing. */
@OwnerPolicy('package')
class PackagePolicy implements FileOwnerPolicy {
  static grants: Grants = {};

  allows(operation: OwnerOperation, actor: Actor | null): boolean | null {
    return actor?.id === 'ben' && (PackagePolicy.grants[operation] ?? null);
  }
}

async function rulesApp(options: Partial<FilesModuleOptions>, grants: Grants = {}) {
  PackagePolicy.grants = grants;
  const storages = { default: memoryStorage(), images: memoryStorage() };
  const app = await startApp({ options: { storages, ...options }, providers: [PackagePolicy] });
  const create = async (type: string, id: string, storage = 'default') =>
    (await app.app.get(FilesService).create(Buffer.from('x'), { name: 'x.txt', storage, owner: { type, id } })).id;
  return { app, create };
}

/** The statuses of what can be done with a file, as a user or nobody; the last one deletes it. */
async function statuses(app: HttpApp, id: string, user?: string): Promise<Record<string, number>> {
  const json = { 'content-type': 'application/json' };
  const calls: Record<string, [path: string, init: RequestInit]> = {
    read: ['', {}],
    stream: ['/content', {}],
    rename: ['', { method: 'PATCH', headers: json, body: JSON.stringify({ name: 'y.txt' }) }],
    pin: ['/pin', { method: 'PUT' }],
    unpin: ['/pin', { method: 'DELETE' }],
    delete: ['', { method: 'DELETE' }],
  };
  const found: Record<string, number> = {};
  for (const [name, [path, init]] of Object.entries(calls)) {
    const response = await app.fetch(`/files/${id}${path}`, { ...init, ...(user !== undefined && { user }) });
    await response.arrayBuffer();
    found[name] = response.status;
  }
  return found;
}

const ALL = { read: 200, stream: 200, rename: 200, pin: 200, unpin: 200, delete: 204 };
const NONE = { read: 404, stream: 404, rename: 404, pin: 404, unpin: 404, delete: 404 };
const EVERYTHING: Grants = { read: true, update: true, delete: true, receive: true, scan: true };

describe('files over HTTP', () => {
  it('let a manager do everything, whoever owns them', async () => {
    const { app, create } = await rulesApp({});
    for (const [type, id] of [
      ['user', 'anna'],
      ['package', '1'],
    ] as const) {
      expect(await statuses(app, await create(type, id), 'admin')).toEqual(ALL);
    }
  });

  it('are open to their owner, and hidden from strangers', async () => {
    const { app, create } = await rulesApp({ cascade: { package: true } }, EVERYTHING);
    expect(await statuses(app, await create('user', 'anna'), 'anna')).toEqual(ALL);
    expect(await statuses(app, await create('user', 'anna'), 'ben')).toEqual(NONE);
    expect(await statuses(app, await create('user', 'anna'))).toEqual(NONE);
  });

  it('let other owners in only with a cascade', async () => {
    const closed = await rulesApp({}, EVERYTHING);
    expect(await statuses(closed.app, await closed.create('package', '1'), 'ben')).toEqual(NONE);
    const open = await rulesApp({ cascade: { package: true } }, EVERYTHING);
    expect(await statuses(open.app, await open.create('package', '1'), 'ben')).toEqual(ALL);
    expect(await statuses(open.app, await open.create('package', '1'), 'anna')).toEqual(NONE);
    expect(await statuses(open.app, await open.create('package', '1'))).toEqual(NONE);
  });

  it('follow their owner only in the storages of the cascade', async () => {
    const { app, create } = await rulesApp({ cascade: { package: ['images'] } }, EVERYTHING);
    expect(await statuses(app, await create('package', '1', 'images'), 'ben')).toEqual(ALL);
    expect(await statuses(app, await create('package', '1', 'default'), 'ben')).toEqual(NONE);
  });

  it.each([
    [{ read: true }, { ...ALL, rename: 403, pin: 403, unpin: 403, delete: 403 }],
    [
      { read: true, update: true, delete: null },
      { ...ALL, delete: 403 },
    ],
    [
      { read: true, delete: true },
      { ...ALL, rename: 403, pin: 403, unpin: 403 },
    ],
    [{ read: null }, NONE],
  ] as const)('follow what the policy says: %j', async (grants, expected) => {
    const { app, create } = await rulesApp({ cascade: { package: true } }, grants);
    expect(await statuses(app, await create('package', '1'), 'ben')).toEqual(expected);
  });

  it.each([
    ['managers', [401, 403, 403, 201]],
    ['authenticated', [401, 201, 201, 201]],
    [{ storages: ['images'] }, [401, 403, 201, 201]],
    [(actor: Actor | null, storage: string) => actor === null || storage === 'images', [201, 403, 201, 201]],
  ] as const)('accept uploads from the actors that "uploads" allows: %j', async (uploads, expected) => {
    const { app } = await rulesApp({ uploads: uploads as never });
    const upload = async (storage: string, user?: string) => {
      const body = formWith('hello', 'x', { storage });
      return (await app.fetch('/files', { method: 'POST', body, ...(user !== undefined && { user }) })).status;
    };
    const found = [
      await upload('images'),
      await upload('default', 'anna'),
      await upload('images', 'anna'),
      await upload('default', 'admin'),
    ];
    expect(found).toEqual(expected);
  });

  it.each([
    [{}, { update: true }, 200, 200],
    [{ transferAsUpdate: false }, { update: true }, 403, 200],
    [{ scanAs: 'scan' }, { update: true }, 200, 403],
    [{ cascade: { package: true } }, { read: true }, 403, 200],
    [{ cascade: { package: ['images' as string] } }, { read: true }, 403, 403],
    [{ transferAsUpdate: false, scanAs: 'scan' }, { receive: true, scan: true }, 200, 200],
    [{}, { receive: true, scan: true }, 403, 403],
  ] satisfies [Partial<FilesModuleOptions>, Grants, number, number][])(
    'go to, and are listed of, an owner with %j and %j',
    async (options, grants, transferred, listed) => {
      const { app, create } = await rulesApp(options, grants);
      const transfer = await app.fetch(`/files/${await create('user', 'ben')}/transfer`, {
        method: 'POST',
        user: 'ben',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ownerType: 'package', ownerId: '1' }),
      });
      const list = await app.fetch('/files?ownerType=package&ownerId=1', { user: 'ben' });
      expect([transfer.status, list.status]).toEqual([transferred, listed]);
    },
  );

  it('accept a new name also while they are pinned', async () => {
    const { app, create } = await rulesApp({ cascade: { package: true } }, EVERYTHING);
    const id = await create('package', '1');
    await app.app.get(FilesService).pin(id);
    const rename = { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"name":"y.txt"}' };
    const renamed = await app.fetch(`/files/${id}`, { ...rename, user: 'ben' });
    expect([renamed.status, await renamed.json()]).toMatchObject([200, { name: 'y.txt', pinned: true }]);
  });

  it('show the files of users in the storages that the cascade opens', async () => {
    @OwnerPolicy('user')
    class UserFiles implements FileOwnerPolicy {
      allows(operation: OwnerOperation) {
        return operation === 'read';
      }
    }
    const storages = { default: memoryStorage(), avatars: memoryStorage() };
    const app = await startApp({ options: { storages, cascade: { user: ['avatars'] } }, providers: [UserFiles] });
    const files = app.app.get(FilesService);
    const owner = { type: 'user', id: 'anna' };
    const avatar = await files.create(Buffer.from('x'), { name: 'a.txt', storage: 'avatars', owner });
    const draft = await files.create(Buffer.from('x'), { name: 'b.txt', owner });
    expect((await app.fetch(`/files/${avatar.id}/content`)).status).toBe(200);
    expect((await app.fetch(`/files/${draft.id}/content`, { user: 'ben' })).status).toBe(404);
    expect((await app.fetch('/files?ownerType=user&ownerId=anna', { user: 'ben' })).status).toBe(403);
  });
});
