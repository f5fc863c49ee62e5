/** Whether the tests notice when the core is broken: `npm run mutation`, or for one room `npm run mutation -- --mutate 'lib/task-queue/**'`. */
export default {
  mutate: ['lib/unit-of-work/**/*.ts', 'lib/task-queue/**/*.ts', 'lib/ownership/**/*.ts'],
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  vitest: { configFile: 'vitest.mutation.config.ts', related: false },
  coverageAnalysis: 'perTest',
  reporters: ['clear-text', 'progress', 'json'],
  jsonReporter: { fileName: 'reports/mutation/report.json' },
  tempDirName: 'reports/mutation/sandboxes',
  incremental: true,
  incrementalFile: 'reports/mutation/incremental.json',
  concurrency: 2,
  timeoutMS: 20_000,
  thresholds: { break: 85, high: 95, low: 85 },
};
