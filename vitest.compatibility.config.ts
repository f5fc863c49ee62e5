import { mergeConfig } from 'vitest/config';
import base from './vitest.config.js';

/** Every configuration of docs/compatibility.md. */
export default mergeConfig(
  { ...base, test: undefined },
  {
    test: {
      setupFiles: ['test/support/setup.ts'],
      include: ['test/compatibility/**/*.spec.ts'],
      env: { COMPATIBILITY: 'all' },
      testTimeout: 60_000,
      hookTimeout: 60_000,
    },
  },
);
