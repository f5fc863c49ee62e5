import { symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** Compiles a module of the tests, and the library with it, into one for Node, in `directory`; gives its path. */
export async function compileModule(source: string, directory: string): Promise<string> {
  await build({
    configFile: pathOf('../../vitest.config.ts'),
    logLevel: 'error',
    build: { ssr: source, outDir: directory, target: 'node20' },
  });
  await symlink(pathOf('../../node_modules'), join(directory, 'node_modules'), 'junction');
  return join(directory, basename(source).replace(/\.ts$/, '.js'));
}
