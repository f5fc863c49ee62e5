import fs, { chmod, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fsStorage } from 'nestjs-files/storage/fs';
import type { Bytes, WritesTogether } from 'nestjs-files/storage';
import { filesBelow, newDirectory } from '../../support/files-directory.js';

/** What was done in the file system, in order. */
const steps: string[] = [];
const real = { open: fs.open, link: fs.link };

// Other files of this worker have loaded the storage before, so its imports are changed, not mocked.
beforeAll(() => {
  fs.open = async (...how) => {
    const handle = await real.open(...how);
    for (const flush of ['sync', 'datasync'] as const) {
      const call = handle[flush].bind(handle);
      handle[flush] = async () => {
        steps.push(`${flush} ${String(how[0])}`);
        await call();
      };
    }
    return handle;
  };
  fs.link = async (from, to) => {
    steps.push(`link ${String(to)}`);
    await real.link(from, to);
  };
  syncBuiltinESMExports();
});
beforeEach(() => void (steps.length = 0));
afterAll(() => {
  Object.assign(fs, real);
  syncBuiltinESMExports();
});

const content = (text: string) => Readable.from([Buffer.from(text)]);

async function setUp(options: { fsync?: boolean } = {}) {
  const [outside, root] = [newDirectory(), newDirectory()];
  const storage = fsStorage({ root, ...options });
  await storage.connect();
  const writes = (await storage.beginWrites()) as WritesTogether;
  const read: string[] = [];
  const check = async (bytes: Bytes) => void read.push(String(await buffer(Readable.from(bytes))));
  const source = join(outside, 'source');
  await writeFile(source, 'bytes', { mode: 0o600 });
  return { outside, root, source, storage, writes, read, check };
}

describe('writes together of fsStorage', () => {
  it('flush each file before its name, and each directory once, after all of the names in it', async () => {
    const { root, storage, writes } = await setUp();
    for (const location of ['a/1', 'a/2', 'b/1']) await storage.write(location, content(location), writes);
    const named = steps.length;
    const file = (location: string) => steps.findIndex((step) => step === `link ${join(root, location)}`);
    for (const location of ['a/1', 'a/2', 'b/1']) expect(steps[file(location) - 1]).toMatch(/^datasync .*\.part$/);
    await storage.finishWrites(writes);
    const flushed = ['a', 'b'].map((directory) => `sync ${join(root, directory)}`);
    expect(steps.slice(named).toSorted()).toEqual(flushed);
    expect(await filesBelow(root)).toEqual(['a/1', 'a/2', 'b/1']);
  });

  it('flush nothing without fsync', async () => {
    const { storage, writes, source, check } = await setUp({ fsync: false });
    await storage.write('a/1', content('x'), writes);
    await storage.link(source, 'a/2', writes, check);
    await storage.finishWrites(writes);
    expect(steps.filter((step) => /sync .*a$|datasync/.test(step))).toEqual([]);
  });

  it('never write over a file, and leave nothing of content that fails', async () => {
    const { root, storage, writes, source, check } = await setUp();
    await storage.write('a/1', content('first'), writes);
    const taken = { code: 'FILES_LOCATION_TAKEN' };
    await expect(storage.write('a/1', content('second'), writes)).rejects.toMatchObject(taken);
    await expect(storage.link(source, 'a/1', writes, check)).rejects.toMatchObject(taken);
    const broken = new Readable({ read: () => broken.destroy(new Error('broken')) });
    await expect(storage.write('a/2', broken, writes)).rejects.toThrow('broken');
    expect(await filesBelow(root)).toEqual(['a/1']);
    expect(await readFile(join(root, 'a/1'), 'utf8')).toBe('first');
  });

  it('refuse to end where the mark is gone', async () => {
    const { storage, writes } = await setUp();
    storage.expectMark('a mark that is not there');
    await storage.write('a/1', content('x'), writes);
    await expect(storage.finishWrites(writes)).rejects.toMatchObject({ code: 'FILES_STORAGE_MARK_MISMATCHED' });
    await expect(storage.beginWrites()).rejects.toMatchObject({ code: 'FILES_STORAGE_MARK_MISMATCHED' });
  });

  it('are refused where a part of the location leads out of the root, or is a file', async () => {
    const { root, outside, storage, writes } = await setUp();
    await symlink(outside, join(root, 'out'));
    await writeFile(join(root, 'file'), '');
    for (const location of ['out/1', 'out/1', 'file/1'])
      await expect(storage.write(location, content('x'), writes)).rejects.toMatchObject({
        code: 'FILES_LOCATION_INVALID',
      });
    expect(await filesBelow(outside)).toEqual(['source']);
  });
});

describe('a link of fsStorage', () => {
  it('gives a file a second name, once its bytes are flushed and checked', async () => {
    const { root, source, storage, writes, read, check } = await setUp();
    expect(await storage.link(source, 'a/1', writes, check)).toBe(true);
    expect(read).toEqual(['bytes']);
    const [one, other] = [await stat(source), await stat(join(root, 'a/1'))];
    expect(one.ino).toBe(other.ino);
    expect(steps.filter((step) => /link|datasync/.test(step))).toEqual([
      `link ${join(root, 'a/1')}`,
      `datasync ${join(root, 'a/1')}`,
    ]);
    await storage.finishWrites(writes);
    expect(steps.at(-1)).toBe(`sync ${join(root, 'a')}`);
    await storage.remove('a/1');
    expect(await readFile(source, 'utf8')).toBe('bytes');
  });

  it('leaves no name behind when the bytes are refused', async () => {
    const { root, source, storage, writes } = await setUp();
    const refuse = async () => {
      throw new Error('refused');
    };
    await expect(storage.link(source, 'a/1', writes, refuse)).rejects.toThrow('refused');
    expect(await filesBelow(root)).toEqual([]);
    expect(await readFile(source, 'utf8')).toBe('bytes');
  });

  it('takes an empty file', async () => {
    const { source, storage, writes, read, check } = await setUp();
    await writeFile(source, '');
    expect(await storage.link(source, 'a/1', writes, check)).toBe(true);
    expect(read).toEqual(['']);
  });

  it('is not made of a file with another mode, of a symbolic link, or of none; others are not tried then', async () => {
    const { outside, root, source, storage, check } = await setUp();
    await symlink(source, join(outside, 'alias'));
    await writeFile(join(outside, 'public'), 'x');
    await chmod(join(outside, 'public'), 0o644);
    for (const name of ['alias', 'public', 'none']) {
      const writes = (await storage.beginWrites()) as WritesTogether;
      expect(await storage.link(join(outside, name), `${name}/1`, writes, check), name).toBe(false);
      const next = await storage.link(source, `${name}/2`, writes, check);
      expect(next, name).toBe(name === 'none');
    }
    expect(await filesBelow(root)).toEqual(['none/2']);
  });
});
