import { mergeConfig } from 'vitest/config';
import base from './vitest.config.js';

/** The storage for S3, against the server at S3_ENDPOINT. */
export default mergeConfig(
  { ...base, test: undefined },
  {
    test: {
      setupFiles: ['test/support/setup.ts'],
      include: ['test/object-storage/**/*.spec.ts'],
      testTimeout: 120_000,
      hookTimeout: 60_000,
    },
  },
);
