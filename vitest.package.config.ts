import { defineConfig } from 'vitest/config';

/** The packed tarball, as a consumer sees it: no aliases, no set-up of the repository's own tests. */
export default defineConfig({
  test: {
    include: ['test/package/**/*.spec.ts'],
    globalSetup: ['test/package/support/packed-consumer.ts'],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    fileParallelism: false,
  },
});
