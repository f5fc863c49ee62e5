import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fsStorage } from 'nestjs-files/storage/fs';
import type { FsStorageOptions } from 'nestjs-files/storage/fs';
import { newDirectory } from '../../support/files-directory.js';

const bytes = () => Readable.from([Buffer.from('content')]);
const modeOf = async (path: string) => ((await stat(path)).mode & 0o7777).toString(8);

function withUmask(mask: number): void {
  const before = process.umask(mask);
  onTestFinished(() => void process.umask(before));
}

async function modesAfter(modes?: FsStorageOptions['modes']) {
  const root = join(newDirectory(), 'above', 'files');
  const storage = fsStorage({ root, ...(modes && { modes }) });
  await storage.connect();
  await storage.write('a/b/one', bytes());
  await storage.copy('a/b/one', 'c/two');
  await storage.write('d/three', bytes());
  await storage.move('d/three', 'e/moved');
  const directories = ['.', 'a', 'a/b', 'c', 'd', 'e'].map((path) => modeOf(join(root, path)));
  const files = ['a/b/one', 'c/two', 'e/moved'].map((path) => modeOf(join(root, path)));
  return {
    above: await modeOf(join(root, '..')),
    directories: [...new Set(await Promise.all(directories))],
    files: [...new Set(await Promise.all(files))],
  };
}

describe.skipIf(process.platform === 'win32')('the modes of fsStorage', () => {
  it.each([0o000, 0o022])(
    'keep files and directories for the application alone, whatever the umask: %o',
    async (mask) => {
      withUmask(mask);
      const above = (0o777 & ~mask).toString(8);
      expect(await modesAfter()).toEqual({ above, directories: ['700'], files: ['600'] });
    },
  );

  it('match exactly the modes that are asked for', async () => {
    withUmask(0o077);
    expect(await modesAfter({ file: 0o640, directory: 0o2750 })).toMatchObject({
      directories: ['2750'],
      files: ['640'],
    });
  });

  it('are applied to a copy, whatever the modes of the original', async () => {
    const root = newDirectory();
    const storage = fsStorage({ root });
    await storage.write('one', bytes());
    await chmod(join(root, 'one'), 0o644);
    await storage.copy('one', 'two');
    expect(await modeOf(join(root, 'two'))).toBe('600');
  });

  it('leave existing files as they are', async () => {
    const root = join(newDirectory(), 'files');
    await mkdir(root);
    await chmod(root, 0o755);
    await writeFile(join(root, 'old'), 'x');
    await chmod(join(root, 'old'), 0o644);
    const storage = fsStorage({ root, modes: { file: 0o600 } });
    await storage.connect();
    expect([await modeOf(root), await modeOf(join(root, 'old'))]).toEqual(['755', '644']);
  });

  it.each([
    ['file', 0o444],
    ['file', 644.5],
    ['directory', 0o600],
  ])('cannot lock the application itself out: %s %o', (name, mode) => {
    expect(() => fsStorage({ root: 'x', modes: { [name]: mode } })).toThrow(`"modes.${name}"`);
  });
});
