import { randomUUID } from 'node:crypto';
import { chmod, chown, cp, mkdir, readFile, readdir, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Storage } from 'nestjs-files/storage';
import { fsStorage } from 'nestjs-files/storage/fs';
import { filesBelow, newDirectory } from '../../support/files-directory.js';

function setUp(options: { fsync?: boolean } = {}) {
  const parent = newDirectory();
  const root = join(parent, 'files');
  return { parent, root, storage: fsStorage({ root, ...options }) };
}

const NOBODY = 65_534;
const oldPartial = `.old.${randomUUID()}.part`;

async function locationsOf(storage: Storage): Promise<string[]> {
  const found = [];
  for await (const { location } of storage.list()) found.push(location);
  return found.sort();
}

/** Runs it as a user who owns the directory, but not what modes forbid: root may read everything. */
async function asOneWhoIsNotRoot(directory: string, work: () => Promise<void>): Promise<void> {
  const { geteuid, seteuid } = process;
  if (geteuid?.() !== 0 || !seteuid) return work();
  const entries = await readdir(directory, { recursive: true });
  for (const path of [join(directory, '..'), directory, ...entries.map((entry) => join(directory, entry))])
    await chown(path, NOBODY, NOBODY);
  seteuid(NOBODY);
  try {
    await work();
  } finally {
    seteuid(0);
  }
}

describe('fsStorage', () => {
  it('keeps a file at its location, and nothing else', async () => {
    const { root, storage } = setUp();
    await storage.write('ab/cd', Readable.from([Buffer.from('content')]));
    expect(await filesBelow(root)).toEqual(['ab/cd']);
    expect(await readFile(join(root, 'ab/cd'), 'utf8')).toBe('content');
  });

  it('hides a file at its location until it is complete', async () => {
    const { root, storage } = setUp();
    const content = new Readable({ read() {} });
    const writing = storage.write('slow', content);
    content.push('half');
    await expect.poll(() => filesBelow(root)).toEqual([expect.stringMatching(/^\.slow\.[0-9a-f-]{36}\.part$/)]);
    expect(await storage.exists('slow')).toBe(false);
    content.push(null);
    await writing;
    expect(await filesBelow(root)).toEqual(['slow']);
  });

  it('removes the partial file when the source fails, is cut off or loses a race', async () => {
    const { root, storage } = setUp();
    for (const fault of [new Error('broken'), undefined]) {
      const content = new Readable({ read() {} });
      const writing = storage.write('broken', content);
      content.push(Buffer.alloc(300_000));
      await expect.poll(() => filesBelow(root)).toHaveLength(1);
      content.destroy(fault);
      await expect(writing).rejects.toThrow();
      expect(await filesBelow(root)).toEqual([]);
    }
    const races = ['a', 'b', 'c'].map((one) => storage.write('raced', Readable.from([Buffer.from(one)])));
    await Promise.allSettled(races);
    expect(await filesBelow(root)).toEqual(['raced']);
  });

  it('follows no link out of its root', async () => {
    const { parent, root, storage } = setUp();
    const outside = join(parent, 'files-private');
    await mkdir(outside);
    await mkdir(root);
    await writeFile(join(outside, 'secret'), 'secret');
    await symlink(outside, join(root, 'out'));
    await symlink(join(outside, 'secret'), join(root, 'secret'));
    for (const location of ['out/secret', 'secret']) {
      await expect(storage.read(location)).rejects.toMatchObject({ code: 'FILES_LOCATION_INVALID' });
    }
    for (const location of ['out/new', 'out/deep/er/new']) {
      const writing = storage.write(location, Readable.from([Buffer.from('x')]));
      await expect(writing).rejects.toMatchObject({ code: 'FILES_LOCATION_INVALID' });
    }
    await expect(storage.remove('out/secret')).rejects.toMatchObject({ code: 'FILES_LOCATION_INVALID' });
    expect(await storage.exists('secret')).toBe(false);
    expect(await filesBelow(outside)).toEqual(['secret']);
  });

  it('takes a root that is itself a link, and links within the root', async () => {
    const parent = newDirectory();
    await mkdir(join(parent, 'real/within'), { recursive: true });
    await symlink(join(parent, 'real'), join(parent, 'root'));
    await symlink(join(parent, 'real/within'), join(parent, 'real/alias'));
    const storage = fsStorage({ root: join(parent, 'root') });
    await storage.write('alias/file', Readable.from([Buffer.from('x')]));
    expect(await text(await storage.read('within/file'))).toBe('x');
  });

  it('says so when a file is in the place of a directory', async () => {
    const { root, storage } = setUp();
    await storage.write('file', Readable.from([Buffer.from('x')]));
    await storage.write('other', Readable.from([Buffer.from('x')]));
    for (const location of ['file/below', 'file/far/below']) {
      const told = {
        code: 'FILES_LOCATION_INVALID',
        message: expect.stringMatching(`"${location}".*a part of it is a file`),
      };
      await expect(storage.write(location, Readable.from([Buffer.from('x')]))).rejects.toMatchObject(told);
      await expect(storage.copy('other', location)).rejects.toMatchObject(told);
      await expect(storage.move('other', location)).rejects.toMatchObject(told);
      const begun = storage.resumable(location, (uploads) => uploads.begin(location, 0));
      await expect(begun).rejects.toMatchObject(told);
      expect(await storage.exists(location)).toBe(false);
      await storage.remove(location);
    }
    expect(await filesBelow(root)).toEqual(['file', 'other']);
  });

  it('names the operation, the location and the cause when the disk fails', async () => {
    const { root, storage } = setUp();
    await mkdir(join(root, 'directory'), { recursive: true });
    await expect(storage.remove('directory')).rejects.toMatchObject({
      code: 'FILES_STORAGE_FAILED',
      message: expect.stringContaining('failed to remove "directory"'),
      cause: expect.objectContaining({ syscall: 'unlink' }),
    });
  });

  it('takes no longer names than the disk does, and says which', async () => {
    const { root, storage } = setUp();
    await storage.write('a'.repeat(255), Readable.from([Buffer.from('x')]));
    await expect(storage.write('a'.repeat(256), Readable.from([Buffer.from('x')]))).rejects.toThrow('ENAMETOOLONG');
    expect(await filesBelow(root)).toHaveLength(1);
  });

  it('refuses options that make no sense, naming them', () => {
    expect(() => fsStorage({ root: '' })).toThrow('"root"');
    expect(() => fsStorage({ root: 'x', maxSize: '10 apples' })).toThrow('"maxSize"');
    expect(() => fsStorage({ root: 'x', maxSize: -Infinity })).toThrow('"maxSize"');
    expect(() => fsStorage({ root: 'x', acceptedTypes: ['a/b/c'] })).toThrow('"acceptedTypes"');
    expect(() => fsStorage({ root: 'x', hashAlgorithm: 'rot13' })).toThrow('"hashAlgorithm"');
  });

  it('lists nothing outside of its root, and no file that is being written', async () => {
    const { parent, root, storage } = setUp();
    await mkdir(join(parent, 'outside'));
    await writeFile(join(parent, 'outside/secret'), 'secret');
    await storage.write('a/file', Readable.from([Buffer.from('x')]));
    await symlink(join(parent, 'outside'), join(root, 'out'));
    await symlink(join(parent, 'outside/secret'), join(root, 'secret'));
    await writeFile(join(root, `a/.file.${randomUUID()}.part`), 'half');
    const found: string[] = [];
    for await (const { location } of storage.list()) found.push(location);
    expect(found).toEqual(['a/file']);
    const outside = async () => {
      for await (const { location } of storage.list('out')) found.push(location);
    };
    await expect(outside()).rejects.toMatchObject({ code: 'FILES_LOCATION_INVALID' });
  });

  it('passes over a lost+found at its top that it cannot read, and over no other directory', async (context) => {
    const { root, storage } = setUp();
    if (process.platform === 'win32') context.skip('its directories have no modes');
    await storage.write('a/file', Readable.from([Buffer.from('x')]));
    await writeFile(join(root, 'a', oldPartial), 'x');
    await utimes(join(root, 'a', oldPartial), 0, 0);
    await mkdir(join(root, 'lost+found'), { mode: 0 });
    onTestFinished(() => chmod(join(root, 'lost+found'), 0o700));
    await asOneWhoIsNotRoot(root, async () => {
      expect(await locationsOf(storage)).toEqual(['a/file']);
      expect(await storage.removeLeftovers(new Date())).toEqual({ count: 1, size: 1 });
    });
    await mkdir(join(root, 'a/lost+found'), { mode: 0 });
    onTestFinished(() => chmod(join(root, 'a/lost+found'), 0o700));
    await asOneWhoIsNotRoot(root, async () => {
      const told = { code: 'FILES_STORAGE_FAILED', message: expect.stringContaining('a/lost+found') };
      await expect(locationsOf(storage)).rejects.toMatchObject(told);
      await expect(storage.removeLeftovers(new Date())).rejects.toMatchObject(told);
    });
  });

  it('looks for its mark where its bytes are, also after a link to it leads elsewhere', async () => {
    const parent = newDirectory();
    const [link, before, after] = ['files', 'a', 'b'].map((name) => join(parent, name)) as [string, string, string];
    await mkdir(before);
    await symlink(before, link);
    const storage = fsStorage({ root: link });
    await storage.connect();
    await storage.markPlace?.replace('mine');
    storage.expectMark('mine');
    await cp(before, after, { recursive: true });
    await unlink(link);
    await symlink(after, link);
    await writeFile(join(after, oldPartial), 'x');
    await utimes(join(after, oldPartial), 0, 0);
    await storage.write('first', Readable.from([Buffer.from('x')]));
    expect(await locationsOf(storage)).toEqual(['first']);
    expect(await storage.removeLeftovers(new Date())).toEqual({ count: 0, size: 0 });
    await rm(join(before, '.nestjs-files'), { recursive: true });
    const writing = storage.write('second', Readable.from([Buffer.from('x')]));
    await expect(writing).rejects.toMatchObject({ code: 'FILES_STORAGE_MARK_MISMATCHED' });
    expect(await filesBelow(before)).toEqual(['first']);
    expect(await filesBelow(after)).toEqual([oldPartial]);
  });

  it('removes unfinished files once they are old, and only these', async () => {
    const { root, storage } = setUp();
    await storage.write('a/file', Readable.from([Buffer.from('x')]));
    await storage.write('a/.hidden.part', Readable.from([Buffer.from('x')]));
    const [old, fresh] = [`a/.file.${randomUUID()}.part`, `.file.${randomUUID()}.part`];
    for (const name of [old, fresh]) await writeFile(join(root, name), 'half');
    const hourAgo = new Date(Date.now() - 3_600_000);
    for (const name of [old, 'a/file', 'a/.hidden.part']) await utimes(join(root, name), hourAgo, hourAgo);
    expect(await storage.removeLeftovers(new Date(Date.now() - 60_000))).toEqual({ count: 1, size: 4 });
    expect(await filesBelow(root)).toEqual([fresh, 'a/.hidden.part', 'a/file'].sort());
  });

  it('leaves unfinished files once the signal is aborted, and resolves with what is removed', async () => {
    const { root, storage } = setUp();
    const partial = `a/.file.${randomUUID()}.part`;
    await storage.write('a/file', Readable.from([Buffer.from('x')]));
    await writeFile(join(root, partial), 'half');
    const soon = new Date(Date.now() + 60_000);
    expect(await storage.removeLeftovers(soon, AbortSignal.abort())).toEqual({ count: 0, size: 0 });
    expect(await filesBelow(root)).toEqual([partial, 'a/file']);
    expect(await storage.removeLeftovers(soon, new AbortController().signal)).toEqual({ count: 1, size: 4 });
  });

  it('passes over unfinished files that another sweeper removes meanwhile, and counts its own', async () => {
    const { root } = setUp();
    await mkdir(root);
    const names = Array.from({ length: 300 }, () => `.old.${randomUUID()}.part`);
    for (const name of names) await writeFile(join(root, name), 'half');
    const soon = new Date(Date.now() + 60_000);
    const swept = await Promise.all([1, 2, 3].map(() => fsStorage({ root }).removeLeftovers(soon)));
    expect(swept.reduce((sum, { count }) => sum + count, 0)).toBe(names.length);
    expect(swept.reduce((sum, { size }) => sum + size, 0)).toBe(names.length * 4);
    expect(await filesBelow(root)).toEqual([]);
  });

  it('takes no location that looks like an unfinished file', async () => {
    const { storage } = setUp();
    const writing = storage.write(`a/.file.${randomUUID()}.part`, Readable.from([Buffer.from('x')]));
    await expect(writing).rejects.toMatchObject({ code: 'FILES_LOCATION_INVALID' });
  });
});
