import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';
import { isNest11 } from './test/support/versions.js';

const lib = (path: string) => fileURLToPath(new URL(`./lib/${path}`, import.meta.url));

// Nest 11 has no schemas: test/unit/validation/schema/refused-schemas.spec.ts.
const ofSchemas = ['test/e2e/schema/**', 'test/unit/validation/schema/schema-routes.spec.ts'];
// Otherwise `npm run test:s3` starts a server for them.
const ofS3 = process.env.S3_ENDPOINT ? ['test/object-storage/**/*.spec.ts'] : [];
const exclude = [...configDefaults.exclude, ...(isNest11 ? ofSchemas : [])];
// Loading Nest and TypeORM costs more than most files of tests, so that files of a worker share their modules. These
// cannot: their modules declare entities when they are loaded, once, and they build the schema of GraphQL, which is one
// for all.
const apart = ['test/e2e/docs/**/*.spec.ts', 'test/e2e/transports/docs.spec.ts'];
// All of these have the entities of the portal, which its modules declare when they are loaded.
const portal = ['test/e2e/portal/**/*.spec.ts'];
const tests = {
  exclude,
  setupFiles: ['test/support/setup.ts'],
  testTimeout: 60_000,
  hookTimeout: 60_000,
  // Tests share the machine with each other, with databases and with browsers.
  expect: { poll: { timeout: 20_000 } },
};

export default defineConfig({
  // vitest takes decorator options from a tsconfig only for the files that it includes; these hold for every file.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  resolve: {
    alias: [
      { find: /^nestjs-files$/, replacement: lib('index.ts') },
      { find: /^nestjs-files\/storage\/([\w-]+)$/, replacement: lib('storage/adapters/$1.storage.ts') },
      { find: /^nestjs-files\/jobs\/([\w-]+)$/, replacement: lib('jobs/engines/$1.jobs.ts') },
      { find: /^nestjs-files\/client$/, replacement: lib('client/index.ts') },
      { find: /^nestjs-files\/file-field$/, replacement: lib('client/field/file-field.ts') },
      { find: /^nestjs-files\/scan\/clamav$/, replacement: lib('scan/clamav.ts') },
      { find: /^nestjs-files\/testing$/, replacement: lib('testing/index.ts') },
      { find: /^nestjs-files\/(\w+)$/, replacement: lib('entry/$1.ts') },
    ],
  },
  test: {
    maxWorkers: '100%',
    projects: [
      {
        extends: true,
        test: {
          ...tests,
          name: 'together',
          exclude: [...exclude, ...apart, ...portal],
          include: ['test/{unit,e2e}/**/*.spec.ts'],
          setupFiles: [...tests.setupFiles, 'test/support/forget-entities.ts'],
          isolate: false,
        },
      },
      { extends: true, test: { ...tests, name: 'portal', include: portal, isolate: false } },
      {
        extends: true,
        test: {
          ...tests,
          name: 'apart',
          include: [
            ...apart,
            'test/crash/some-points.spec.ts',
            'test/races/**/*.spec.ts',
            'test/compatibility/**/*.spec.ts',
            'sample/**/*.spec.ts',
            ...ofS3,
          ],
        },
      },
      // Skipped where there is no Chromium.
      {
        extends: true,
        test: {
          ...tests,
          name: 'browser',
          isolate: false,
          include: ['test/browser/**/*.spec.ts'],
          testTimeout: 120_000,
        },
      },
    ],
  },
});
