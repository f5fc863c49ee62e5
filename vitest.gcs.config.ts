import { mergeConfig } from 'vitest/config';
import base from './vitest.config.js';

/** What needs a server of Google Cloud Storage: `npm run test:gcs`. */
export default mergeConfig(
  { ...base, test: undefined },
  {
    test: {
      setupFiles: ['test/support/setup.ts'],
      include: ['test/gcs/**/*.spec.ts'],
      testTimeout: 60_000,
      hookTimeout: 60_000,
    },
  },
);
