const group = process.env.MUTATION_GROUP ?? 'some';

/** How one group of mutants is tested; scripts/mutation.mjs runs them all. */
export default {
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  vitest: { configFile: 'vitest.mutation.config.ts', related: false },
  coverageAnalysis: 'perTest',
  // What is only run while modules load would need all tests for each mutant.
  ignoreStatic: true,
  reporters: ['clear-text', 'progress-append-only', 'json'],
  clearTextReporter: { allowColor: false, reportTests: false, logTests: false },
  jsonReporter: { fileName: `reports/mutation/${group}.json` },
  tempDirName: 'reports/mutation/sandboxes',
  incremental: true,
  incrementalFile: `reports/mutation/${group}.incremental.json`,
  concurrency: 1,
  timeoutMS: 10_000,
  thresholds: { break: null, high: 95, low: 85 },
};
