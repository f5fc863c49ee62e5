import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { StorageMarkMismatchedError } from '../../../lib/errors/setup.errors.js';
import { LocationNotFoundError, LocationTakenError } from '../../../lib/errors/storage.errors.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import type { LocatedObject, StorageAdapter } from '../../../lib/storage/storage-adapter.js';
import type { StorageLimits } from '../../../lib/storage/storage-limits.js';
import { STORAGE_VERBS } from '../../../lib/storage/storage-verbs.js';
import type { StorageVerb } from '../../../lib/storage/storage-verbs.js';
import { Storage } from '../../../lib/storage/storage.js';
import { examplesNotRun } from '../../support/doc-examples.js';

const content = () => Readable.from([Buffer.from('content')]);

function storageOf(adapter: StorageAdapter, limits: StorageLimits = {}): Storage {
  const storage = new Storage(adapter, limits);
  storage.assignName('mine');
  return storage;
}

describe('Storage', () => {
  it('says of a mark that cannot be read where that is, and why', async () => {
    const read = () => Promise.reject(new Error('connect ECONNREFUSED'));
    const markPlace = { place: 's3://files/', read, create: async () => false, replace: async () => {} };
    const storage = storageOf({ markPlace, remove: async () => {} });
    storage.expectMark('mine');
    const failed = { code: 'FILES_STORAGE_FAILED', location: 's3://files/' };
    await expect(storage.assertMarked()).rejects.toMatchObject({ ...failed, operation: 'read the mark of' });
    await expect(storage.ping()).rejects.toMatchObject({ ...failed, operation: 'ping' });
    await expect(storage.remove('a')).rejects.toMatchObject({ operation: 'remove', location: 'a' });
  });

  it('has the verbs of its adapter, without the disabled ones', () => {
    const storage = storageOf({ read: async () => content(), remove: async () => {} }, { disable: ['remove'] });
    expect(STORAGE_VERBS.filter((verb) => storage.can(verb))).toEqual(['read']);
    expect(storage.can('read', 'remove')).toBe(false);
    expect(() => storage.require('read')).not.toThrow();
    expect(() => storage.require('read', 'remove', 'copy')).toThrow(
      'Storage "mine" cannot remove, copy. Its adapter lacks the verb, or the option "disable" lists it.',
    );
  });

  it('takes methods of classes, which know their object', async () => {
    class Greeting {
      constructor(private readonly words: string) {}

      read(): Promise<Readable> {
        return Promise.resolve(Readable.from([Buffer.from(this.words)]));
      }
    }
    expect(await text(await storageOf(new Greeting('hello')).read('x'))).toBe('hello');
  });

  it('refuses ways of downloads that it cannot go, and says which it can', () => {
    const temporaryUrl = async (): Promise<string> => 'http://bucket/';
    for (const downloads of ['redirect', 'x-sendfile', 'push', { xAccel: 'inside' }, {}])
      expect(() => storageOf({}, { downloads: downloads as never })).toThrow('"downloads"');
    expect(() => storageOf({ temporaryUrl }, { downloads: 'redirect', disable: ['temporaryUrl'] })).toThrow('proxy');
    expect(storageOf({ temporaryUrl }, { downloads: 'redirect' }).downloads).toBe('redirect');
    expect(storageOf({}, { downloads: { xAccel: '/inside' } }).downloads).toEqual({ xAccel: '/inside' });
    expect(storageOf({}).downloads).toBe('proxy');
    const inside = fsStorage({ root: '/var/files', downloads: { xAccel: '/files-inside' } });
    expect(inside.downloads).toEqual({ xAccel: '/files-inside' });
  });

  it('gives downloads their Cache-Control, for all or by the file', () => {
    const file = { id: '1', ownerId: '7', contentType: 'image/png' };
    const storage = fsStorage({
      root: '/var/files',
      cacheControl: ({ ownerType }) => (ownerType === 'banner' ? 'public, max-age=3600' : 'private, no-cache'),
    });
    expect(storage.cacheControlOf({ ...file, ownerType: 'banner' })).toBe('public, max-age=3600');
    expect(storage.cacheControlOf({ ...file, ownerType: 'user' })).toBe('private, no-cache');
    expect(storageOf({}, { cacheControl: 'no-store' }).cacheControlOf({ ...file, ownerType: null })).toBe('no-store');
    expect(storageOf({}).cacheControlOf({ ...file, ownerType: null })).toBe('private, no-cache');
  });

  it('refuses to disable an unknown verb', () => {
    const wrong = [['erase'], 'remove', 32] as unknown as StorageVerb[][];
    for (const disable of wrong) expect(() => storageOf({}, { disable })).toThrow('"disable"');
  });

  it('names itself in the errors of its adapter', async () => {
    const cause = new Error('unique');
    const storage = storageOf({
      write: async (location) => {
        throw new LocationTakenError(location, undefined, { cause });
      },
      read: async (location) => {
        throw new LocationNotFoundError(location);
      },
    });
    const taken = { code: 'FILES_LOCATION_TAKEN', storage: 'mine', location: 'a/b', cause };
    await expect(storage.write('a/b', content())).rejects.toMatchObject(taken);
    await expect(storage.read('a/b')).rejects.toThrow('Nothing is at location "a/b" of storage "mine".');
  });

  it('names the operation when its adapter fails, whatever the adapter throws', async () => {
    const fault = new Error('out of order');
    const fail = () => {
      throw fault;
    };
    const storage = storageOf({
      ...Object.fromEntries(STORAGE_VERBS.map((verb) => [verb, fail])),
      removeLeftovers: fail,
    });
    const request = { expiresAt: new Date(), disposition: 'inline', name: 'a', contentType: 'text/plain' } as const;
    const uses: Record<string, () => Promise<unknown>> = {
      write: () => storage.write('a', content()),
      read: () => storage.read('a'),
      remove: () => storage.remove('a'),
      stat: () => storage.exists('a'),
      copy: () => storage.copy('a', 'b'),
      move: () => storage.move('a', 'b'),
      list: () => storage.list('a').next(),
      publicUrl: () => storage.publicUrl('a'),
      temporaryUrl: () => storage.temporaryUrl('a', request),
      'remove leftovers': () => storage.removeLeftovers(new Date()),
    };
    for (const [operation, use] of Object.entries(uses))
      await expect(use(), operation).rejects.toMatchObject({
        code: 'FILES_STORAGE_FAILED',
        storage: 'mine',
        operation,
        cause: fault,
      });
  });

  it('tells a cut connection of its adapter from content that is cut', async () => {
    const cut = Object.assign(new Error('Premature close'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
    const failing = storageOf({
      write: async (location, from) => {
        if (location === 'read') await text(from);
        throw cut;
      },
    });
    for (const location of ['read', 'unread'])
      await expect(failing.write(location, content())).rejects.toMatchObject({
        code: 'FILES_STORAGE_FAILED',
        cause: cut,
      });
    const storage = storageOf({ write: async (_location, from) => void (await text(from)) });
    const writing = storage.write('a', new Readable({ read: () => {} }).destroy());
    await expect(writing).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });

  it('asks its adapter about locations and names where that has rules for them', async () => {
    const asked: string[] = [];
    const own = storageOf({
      stat: async () => undefined,
      assertLocation: (location) => void asked.push(location),
      nameOf: (location) => location.toUpperCase(),
    });
    expect([await own.exists('https://example.org//a'), own.nameOf('a/b')]).toEqual([false, 'A/B']);
    expect(asked).toEqual(['https://example.org//a']);
    const plain = storageOf({ stat: async () => undefined });
    await expect(plain.exists('https://example.org//a')).rejects.toMatchObject({ code: 'FILES_LOCATION_INVALID' });
    expect(plain.nameOf('a/b')).toBe('b');
  });

  it('removes several at once where its adapter can, and else one after the other', async () => {
    const removed: unknown[] = [];
    const remove = async (location: string) => void removed.push(location);
    await storageOf({ remove }).removeAll(['a', 'b']);
    await storageOf({ remove, removeAll: async (locations) => void removed.push(locations) }).removeAll(['c', 'd']);
    expect(removed).toEqual(['a', 'b', ['c', 'd']]);
  });

  it('reads a trusted mark once for the writes of a while, and for each removal', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    let mark: string | undefined = 'mine';
    const read = vi.fn<() => Promise<string | undefined>>(async () => mark);
    const trustedFor = 5_000;
    const markPlace = { place: 'there', trustedFor, read, create: async () => false, replace: async () => {} };
    const written: string[] = [];
    const write = async (location: string): Promise<void> => void written.push(location);
    const storage = storageOf({ markPlace, write, remove: async () => {} });
    storage.expectMark('mine');

    await storage.write('a', content());
    await storage.write('b', content());
    expect(read).toHaveBeenCalledTimes(1);
    await storage.remove('a');
    expect(read).toHaveBeenCalledTimes(2);

    mark = 'another';
    await expect(storage.remove('b')).rejects.toThrow(StorageMarkMismatchedError);
    vi.advanceTimersByTime(trustedFor);
    await expect(storage.write('c', content())).rejects.toThrow(StorageMarkMismatchedError);
    expect(written).toEqual(['a', 'b']);
  });

  it('destroys a source that the adapter does not take, and ignores its error', async () => {
    const refuse = async (location: string): Promise<void> => {
      throw new LocationTakenError(location);
    };
    const source = new Readable({ read() {}, destroy: (_, done) => done(new Error('cannot be closed')) });
    await expect(storageOf({ write: refuse }).write('taken', source)).rejects.toThrow(LocationTakenError);
    expect(source.destroyed).toBe(true);
    await new Promise(setImmediate);
  });

  it('gets by with an adapter without hooks', async () => {
    const storage = storageOf({
      async *list(): AsyncGenerator<LocatedObject, void> {
        yield { location: 'a', size: 1, modifiedAt: new Date(0) };
      },
    });
    await storage.connect();
    expect([storage.isTransactional, storage.markPlace]).toEqual([false, undefined]);
    expect(await storage.removeLeftovers(new Date())).toEqual({ count: 0, size: 0 });
    expect(await storage.list().next()).toMatchObject({ value: { location: 'a' } });
  });
});

it('runs every example of docs/http.md', async () => {
  expect(await examplesNotRun('http.md', import.meta.url)).toEqual([]);
});
