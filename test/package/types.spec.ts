import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { tool } from './support/run.js';

it('has types that check in a strict project, also those of the library itself', async () => {
  const { code, output } = await tool('tsc', ['-p', join(inject('consumer'), 'tsconfig.json')]);
  expect(code, output).toBe(0);
});

it('takes only the owner types that an application declares, with their entities, in a strict project', async () => {
  const { code, output } = await tool('tsc', ['-p', join(inject('consumer'), 'typed-owners/tsconfig.json')]);
  expect(code, output).toBe(0);
});

it('has types that resolve from ES modules and from CommonJS', async () => {
  // The package is ESM only. attw calls its CommonJS side "cjs-resolves-to-esm", which is a fault where require()
  // cannot load ES modules; every Node that `engines` admits can. All other rules hold for both sides.
  const rules = ['--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm'];
  const { code, output } = await tool('attw', [inject('tarball'), ...rules, '--format', 'ascii', '--no-color']);
  expect(code, output).toBe(0);
});
