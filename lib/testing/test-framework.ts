/** What is used of a test framework: vitest's, jest's and node:test's functions all fit. */
export interface TestFramework {
  /** Groups tests under a title. */
  describe(name: string, define: () => void): unknown;
  /** Defines a test. */
  it(name: string, run: () => Promise<void>): unknown;
}

/** The framework handed in, else the one whose functions are global. */
export function testFramework(given: TestFramework | undefined): TestFramework {
  const framework = given ?? (globalThis as Partial<TestFramework>);
  if (typeof framework.describe !== 'function' || typeof framework.it !== 'function') {
    throw new TypeError('No test framework: pass { describe, it }, or make these functions global.');
  }
  return framework as TestFramework;
}
