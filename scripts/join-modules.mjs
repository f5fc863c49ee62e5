// Joins the compiled modules in dist: an application loads few files in place of four hundred, and starts earlier.
// Declarations stay as they are, and so does the client, which browsers load module by module.

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';

const DIST = 'dist/';
const CLIENT = join(DIST, 'client/');

const { exports, bin } = JSON.parse(await readFile('package.json', 'utf8'));
const named = [...Object.values(exports).map((entry) => entry.default), ...Object.values(bin)];
const entries = named.filter((path) => path !== undefined).map((path) => join(path));
const input = Object.fromEntries(
  entries
    .filter((path) => !path.startsWith(CLIENT))
    .map((path) => [path.slice(DIST.length, -'.js'.length), `./${path}`]),
);

const bundle = await rolldown({ input, platform: 'node', external: (id) => !/^[./]/.test(id) });
const { output } = await bundle.generate({
  format: 'esm',
  keepNames: true,
  entryFileNames: '[name].js',
  // As deep as the modules that find files beside them.
  chunkFileNames: 'joined/parts/[name].js',
});
await bundle.close();

for (const path of await readdir(DIST, { recursive: true })) {
  const compiled = join(DIST, path);
  if (compiled.endsWith('.js') && !compiled.startsWith(CLIENT)) await rm(compiled);
}
for (const { fileName, code } of output) {
  await mkdir(dirname(join(DIST, fileName)), { recursive: true });
  await writeFile(join(DIST, fileName), code);
}
