import { defineConfig, mergeConfig } from 'vitest/config';
import { warmPool } from './test/mutation/warm-pool.js';
import shared from './vitest.config.js';

const { projects: _, ...test } = shared.test ?? {};

/** The tests that a group of mutants is held against, as one project; scripts/mutation.mjs says which. */
export default mergeConfig(
  { ...shared, test },
  defineConfig({
    plugins: [warmPool],
    test: {
      setupFiles: ['test/support/setup.ts'],
      include: process.env['MUTATION_TESTS']?.split(' ') ?? [
        'test/unit/{unit-of-work,task-queue,ownership}/**/*.spec.ts',
      ],
      testTimeout: 5_000,
      hookTimeout: 5_000,
      isolate: false,
    },
  }),
);
