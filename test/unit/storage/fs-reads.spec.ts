import fs, { mkdir, symlink, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fsStorage } from 'nestjs-files/storage/fs';
import { newDirectory } from '../../support/files-directory.js';

/** The paths that were looked up, in order. */
const looked: string[] = [];
const real = { realpath: fs.realpath };

// Other files of this worker have loaded the storage before, so its imports are changed, not mocked.
beforeAll(() => {
  fs.realpath = (async (path: string) => {
    looked.push(path);
    return real.realpath(path);
  }) as typeof fs.realpath;
  syncBuiltinESMExports();
});
beforeEach(() => void (looked.length = 0));
afterAll(() => {
  Object.assign(fs, real);
  syncBuiltinESMExports();
});

async function setUp() {
  const [outside, root] = [newDirectory(), newDirectory()];
  const storage = fsStorage({ root });
  await storage.connect();
  await mkdir(join(root, 'a'));
  const reads = storage.beginReads();
  return { outside, root, reads, read: (location: string) => storage.readTogether(location, reads), storage };
}

describe('reads together of fsStorage', () => {
  it('look a directory up once, and tell each file its own bytes', async () => {
    const { root, read } = await setUp();
    for (const name of ['1', '2', '3']) await writeFile(join(root, 'a', name), name);
    looked.length = 0;
    const found = await Promise.all(['a/1', 'a/2', 'a/3'].map(read));
    expect(found).toEqual(['1', '2', '3'].map((bytes) => [Buffer.from(bytes)]));
    expect(looked.filter((path) => path === join(root, 'a'))).toHaveLength(1);
  });

  it.each([
    ['an empty file', 0],
    ['a file above a mebibyte', 1024 * 1024 + 1],
  ])('give a stream for %s', async (_, size) => {
    const { root, read } = await setUp();
    const bytes = Buffer.alloc(size, 'x');
    await writeFile(join(root, 'a/file'), bytes);
    const found = await read('a/file');
    expect(found).toBeInstanceOf(Readable);
    expect(bytes.equals(await buffer(found as Readable))).toBe(true);
  });

  it.skipIf(process.platform === 'win32')('refuse links, and directories that lead out of the root', async () => {
    const { outside, root, reads, read, storage } = await setUp();
    await writeFile(join(outside, 'secret'), 'secret');
    await symlink(join(outside, 'secret'), join(root, 'a/link'));
    await symlink(outside, join(root, 'out'));
    await expect(read('a/link')).rejects.toMatchObject({ code: 'FILES_LOCATION_INVALID' });
    for (let again = 0; again < 2; again++)
      await expect(read('out/secret')).rejects.toMatchObject({ code: 'FILES_LOCATION_INVALID' });
    expect(await storage.pathOf('a/link', reads)).toBeUndefined();
    await expect(storage.pathOf('out/secret', reads)).rejects.toMatchObject({ code: 'FILES_LOCATION_INVALID' });
  });

  it('tell what is missing, and find a directory that is made later by new reads', async () => {
    const { root, reads, read, storage } = await setUp();
    await writeFile(join(root, 'file'), 'x');
    for (const location of ['a/none', 'none/none', 'a', 'file/none'])
      await expect(read(location)).rejects.toMatchObject({ code: 'FILES_LOCATION_NOT_FOUND' });
    expect(await storage.pathOf('a', reads)).toBeUndefined();
    await mkdir(join(root, 'none'));
    await writeFile(join(root, 'none/none'), 'now');
    expect(await storage.readTogether('none/none', storage.beginReads())).toEqual([Buffer.from('now')]);
    expect(await storage.pathOf('none/none', storage.beginReads())).toBe(join(root, 'none/none'));
  });
});
