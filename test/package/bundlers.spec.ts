import { existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, inject, it } from 'vitest';
import { useApplication } from './support/application.js';
import { BUNDLERS } from './support/bundles.js';
import { tool } from './support/run.js';

const consumer = inject('consumer');
const application = join(consumer, 'application');

// esbuild and rolldown do not emit the metadata of decorators, which Nest needs, so that they are given what tsc has
// compiled.
beforeAll(async () => {
  const { code, output } = await tool('tsc', ['-p', application, '--outDir', join(application, 'compiled')]);
  if (code !== 0) throw new Error(output);
});

it.each(Object.entries(BUNDLERS))('works in an application bundled by %s', async (_, { bundle, file }) => {
  const bundled = join(application, 'bundles', file);
  await bundle(join(application, 'compiled/main.js'), bundled);
  await useApplication(bundled);
});

it('works in an application built by nest build --webpack', async () => {
  const loader = join(consumer, 'node_modules/ts-loader');
  if (!existsSync(loader)) symlinkSync(fileURLToPath(new URL('../../node_modules/ts-loader', import.meta.url)), loader);
  const { code, output } = await tool('nest', ['build', '--webpack'], consumer);
  expect(code, output).toBe(0);
  await useApplication(join(consumer, 'dist/main.js'));
});
