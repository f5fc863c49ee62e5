import { defineConfig, mergeConfig } from 'vitest/config';
import shared from './vitest.config.js';

const { projects: _, ...test } = shared.test ?? {};

/** The unit tests of the core as one project, for the mutation test: on SQLite alone, where a run takes seconds. */
export default mergeConfig(
  { ...shared, test },
  defineConfig({
    test: {
      setupFiles: ['test/support/setup.ts'],
      include: ['test/unit/{unit-of-work,task-queue,ownership,validation}/**/*.spec.ts'],
      env: { FILES_TEST_DATABASES: 'sqlite' },
      testTimeout: 20_000,
      isolate: false,
    },
  }),
);
