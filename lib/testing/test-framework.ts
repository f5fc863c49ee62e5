/** The functions of a test framework that are used. Those of vitest, jest and node:test all fit. */
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

/**
 * A test that may find out that it has nothing to test. `skip` says so in the report: by `context.skip()`, which vitest
 * and node:test hand to the test; on the standard output where the framework has no such thing, as jest.
 */
export function skippable(title: string, run: (skip: (reason: string) => void) => Promise<void>): () => Promise<void> {
  // `arguments`: of a declared parameter vitest would expect a fixture, and jest a callback.
  return async function () {
    const [context] = arguments as unknown as [{ skip?: (reason: string) => void } | undefined];
    await run((reason) => {
      if (typeof context?.skip === 'function') context.skip(reason);
      else process.stdout.write(`skipped, because ${reason}: ${title}\n`);
    });
  };
}
