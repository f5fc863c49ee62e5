import { mergeConfig } from 'vitest/config';
import base from './vitest.config.js';

/** What needs a server of Azure Blob Storage: `npm run test:azure`. */
export default mergeConfig(
  { ...base, test: undefined },
  {
    test: {
      setupFiles: ['test/support/setup.ts'],
      include: ['test/azure/**/*.spec.ts'],
      testTimeout: 60_000,
      hookTimeout: 60_000,
    },
  },
);
