import { describe, expect, it, vi } from 'vitest';
import { Readable } from 'node:stream';
import { fsStorage } from 'nestjs-files/storage/fs';
import { describeStorage } from 'nestjs-files/testing';
import { filesBelow, newDirectory } from '../../support/files-directory.js';

// A file system without hard links cannot be mounted here, so what it would answer is given by hand.
vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  link: async () => {
    throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' });
  },
}));

describeStorage('fs without hard links', (limits) => fsStorage({ root: newDirectory(), ...limits }), { describe, it });

describe('fsStorage without hard links', () => {
  it('leaves only the file', async () => {
    const root = newDirectory();
    await fsStorage({ root }).write('x', Readable.from([Buffer.from('x')]));
    expect(await filesBelow(root)).toEqual(['x']);
  });
});
