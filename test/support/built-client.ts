import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const SOURCES = fileURLToPath(new URL('../../lib/client/', import.meta.url));

let built: Promise<URL> | undefined;

/** The modules of the client, one by one, as the package has them. They are built once for each process of tests. */
export function builtClient(): Promise<URL> {
  built ??= buildClient();
  return built;
}

async function buildClient(): Promise<URL> {
  const outdir = await mkdtemp(join(tmpdir(), 'nestjs-files-client-'));
  process.on('exit', () => rmSync(outdir, { recursive: true, force: true }));
  const names = await readdir(SOURCES, { recursive: true });
  const entryPoints = names.filter((name) => name.endsWith('.ts')).map((name) => join(SOURCES, name));
  const { outputFiles } = await build({ entryPoints, outdir, format: 'esm', target: 'es2022', write: false });
  for (const { path, contents } of outputFiles) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, contents);
  }
  return pathToFileURL(`${outdir}/`);
}
