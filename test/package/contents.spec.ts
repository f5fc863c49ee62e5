import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { tool } from './support/run.js';

const installed = join(inject('consumer'), 'node_modules/nestjs-files');

it('ships the compiled library and its papers, nothing else', async () => {
  const top = (await readdir(installed)).filter((name) => name !== 'node_modules');
  expect(top.sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'package.json']);
  const shipped = await readdir(join(installed, 'dist'), { recursive: true, withFileTypes: true });
  const others = shipped.filter((entry) => entry.isFile() && !/\.(js|d\.ts)$/.test(entry.name));
  expect(others.map((entry) => entry.name)).toEqual([]);
});

it('ships the client as modules that a browser loads as they are', async () => {
  const client = join(installed, 'dist/client');
  const modules = (await readdir(client, { recursive: true })).filter((name) => name.endsWith('.js'));
  expect(modules).toEqual(expect.arrayContaining(['index.js', 'field/file-field.js']));
  for (const name of modules) {
    const code = await readFile(join(client, name), 'utf8');
    const imported = [...code.matchAll(/(?:from|import) ['"]([^'"]+)['"]/g)].map(([, from]) => from);
    const missing = imported.filter((from = '') => !from.startsWith('.') || !modules.includes(join(name, '..', from)));
    expect(missing).toEqual([]);
    expect(code).not.toMatch(/\brequire\(|process\.|\bBuffer\b/);
  }
});

it('joins its modules, so that an application loads few of them', async () => {
  const loaded = new Set<string>();
  const load = async (path: string): Promise<void> => {
    if (loaded.has(path)) return;
    loaded.add(path);
    const code = await readFile(path, 'utf8');
    for (const [, from = ''] of code.matchAll(/(?:from|import) ['"](\.[^'"]+)['"]/g))
      await load(join(path, '..', from));
  };
  await load(join(installed, 'dist/index.js'));
  expect(loaded.size).toBeGreaterThan(1);
  expect(loaded.size).toBeLessThan(100);
});

it('has a manifest that passes publint', async () => {
  const { code, output } = await tool('publint', ['run', inject('tarball'), '--strict']);
  expect(code, output).toBe(0);
});
