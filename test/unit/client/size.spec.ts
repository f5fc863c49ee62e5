import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, it } from 'vitest';

const ENTRY = fileURLToPath(new URL('../../../lib/client/index.ts', import.meta.url));

it('takes at most 3 KiB of a page, 4 with tus, and imports nothing from elsewhere', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [ENTRY],
    bundle: true,
    minify: true,
    format: 'esm',
    splitting: true,
    outdir: 'out',
    write: false,
    metafile: true,
  });
  const inputs = Object.keys(metafile.inputs);
  expect(inputs.filter((input) => !input.includes('lib/client/'))).toEqual([]);
  expect(Object.values(metafile.inputs).flatMap(({ imports }) => imports.filter(({ external }) => external))).toEqual(
    [],
  );
  const sizes = outputFiles.map(({ path, contents }) => {
    return { isOfTus: path.includes('tus-'), size: gzipSync(contents, { level: 9 }).length };
  });
  const sum = (files: typeof sizes) => files.reduce((total, { size }) => total + size, 0);
  expect(sizes.filter(({ isOfTus }) => isOfTus)).toHaveLength(1);
  expect(sum(sizes.filter(({ isOfTus }) => !isOfTus))).toBeLessThanOrEqual(3 * 1024);
  expect(sum(sizes)).toBeLessThanOrEqual(4 * 1024);
});
