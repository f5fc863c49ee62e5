import { mergeConfig } from 'vitest/config';
import base from './vitest.config.js';

/** An application under mixed load and faults, for ten minutes: `SOAK_SECONDS` says otherwise. */
export default mergeConfig(
  { ...base, test: undefined },
  { test: { setupFiles: ['test/support/setup.ts'], include: ['test/soak/**/*.spec.ts'], testTimeout: 60_000 } },
);
