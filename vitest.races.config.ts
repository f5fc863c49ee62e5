import { mergeConfig } from 'vitest/config';
import base from './vitest.config.js';

/** The races, a thousand rounds of each. */
export default mergeConfig(
  { ...base, test: undefined },
  {
    test: {
      setupFiles: ['test/support/setup.ts'],
      include: ['test/races/**/*.spec.ts'],
      env: { RACES_ROUNDS: '1000' },
      testTimeout: 600_000,
      hookTimeout: 120_000,
    },
  },
);
