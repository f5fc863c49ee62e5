import { mkdtempSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const made: string[] = [];

afterAll(() => made.splice(0).forEach((path) => rmSync(path, { recursive: true, force: true })));

/** A fresh directory below the system's; removed after the tests of the file. */
export function newDirectory(): string {
  if (made.length === 0)
    afterAll(() => made.splice(0).forEach((path) => rmSync(path, { recursive: true, force: true })));
  const path = mkdtempSync(join(tmpdir(), 'nestjs-files-'));
  made.push(path);
  return path;
}

/** The files below a directory, by their relative paths; without the mark of a storage. */
export async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((path) => path !== '.nestjs-files/mark')
    .sort();
}
