import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { newDirectory } from './files-directory.js';

const SOURCES = fileURLToPath(new URL('../../lib/client/', import.meta.url));

/** The modules of the client, one by one, as the package has them. */
export async function builtClient(): Promise<URL> {
  const outdir = newDirectory();
  const names = await readdir(SOURCES, { recursive: true });
  const entryPoints = names.filter((name) => name.endsWith('.ts')).map((name) => join(SOURCES, name));
  const { outputFiles } = await build({ entryPoints, outdir, format: 'esm', target: 'es2022', write: false });
  for (const { path, contents } of outputFiles) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, contents);
  }
  return pathToFileURL(`${outdir}/`);
}
