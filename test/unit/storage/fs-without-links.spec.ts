import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Readable } from 'node:stream';
import { fsStorage } from 'nestjs-files/storage/fs';
import type { WritesTogether } from 'nestjs-files/storage';
import { describeStorage } from 'nestjs-files/testing';
import { filesBelow, newDirectory } from '../../support/files-directory.js';

// A file system without hard links cannot be mounted here, so what it would answer is given by hand. Other files of
// this worker have loaded the storage before, so its import is changed, not mocked.
const { link } = fs;

beforeAll(() => {
  fs.link = async () => {
    throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' });
  };
  syncBuiltinESMExports();
});
afterAll(() => {
  fs.link = link;
  syncBuiltinESMExports();
});

describeStorage('fs without hard links', (limits) => fsStorage({ root: newDirectory(), ...limits }), { describe, it });

describe('fsStorage without hard links', () => {
  it('leaves only the file', async () => {
    const root = newDirectory();
    await fsStorage({ root }).write('x', Readable.from([Buffer.from('x')]));
    expect(await filesBelow(root)).toEqual(['x']);
  });

  it('has no second names for files of another storage', async () => {
    const [one, other] = [newDirectory(), newDirectory()];
    const storage = fsStorage({ root: one });
    const writes = (await fsStorage({ root: other }).beginWrites()) as WritesTogether;
    await storage.write('x', Readable.from([Buffer.from('x')]));
    const path = (await storage.pathOf('x')) as string;
    expect(await fsStorage({ root: other }).link(path, 'x', writes, async () => {})).toBe(false);
    expect(await filesBelow(other)).toEqual([]);
  });
});
