import { mergeConfig } from 'vitest/config';
import base from './vitest.config.js';

/** Two portals behind nginx, one round of faults: `REPLICAS_ROUNDS` says otherwise. */
export default mergeConfig(
  { ...base, test: undefined },
  {
    test: {
      setupFiles: ['test/support/setup.ts'],
      include: ['test/replicas/**/*.spec.ts'],
      testTimeout: 120_000,
      hookTimeout: 120_000,
    },
  },
);
