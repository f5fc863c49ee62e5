import { mergeConfig } from 'vitest/config';
import base from './vitest.config.js';

/** Every operation of the sample, disturbed at every point in every way, on all databases: takes some minutes. */
export default mergeConfig(
  { ...base, test: undefined },
  {
    test: {
      setupFiles: ['test/support/setup.ts'],
      include: [
        'test/crash/every-point.spec.ts',
        'test/crash/derive.spec.ts',
        'test/crash/jobs.spec.ts',
        'test/crash/tus.spec.ts',
      ],
    },
  },
);
