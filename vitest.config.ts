import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';
import { isNest11 } from './test/support/versions.js';

const lib = (path: string) => fileURLToPath(new URL(`./lib/${path}`, import.meta.url));

// Nest 11 has no schemas: test/unit/validation/schema/refused-schemas.spec.ts.
const ofSchemas = ['test/e2e/schema/**', 'test/unit/validation/schema/schema-routes.spec.ts'];
// Otherwise `npm run test:s3` starts a server for them.
const ofS3 = process.env.S3_ENDPOINT ? ['test/object-storage/**/*.spec.ts'] : [];
const exclude = [...configDefaults.exclude, ...(isNest11 ? ofSchemas : [])];
// Loading Nest and TypeORM costs more than most files of tests. These files share their modules, because the owner types they declare agree.
// The schema of GraphQL is one for all of them, so that it has to be in one file.
const together = [
  'test/e2e/{http,joining,lifecycle,links,storage,uploads-in-actions}/**/*.spec.ts',
  'test/e2e/transports/!(docs).spec.ts',
];
const tests = { exclude, setupFiles: ['test/support/setup.ts'], testTimeout: 60_000, hookTimeout: 60_000 };

export default defineConfig({
  // vitest takes decorator options from a tsconfig only for the files that it includes; these hold for every file.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  resolve: {
    alias: [
      { find: /^nestjs-files$/, replacement: lib('index.ts') },
      { find: /^nestjs-files\/storage\/(\w+)$/, replacement: lib('storage/adapters/$1.storage.ts') },
      { find: /^nestjs-files\/testing$/, replacement: lib('testing/index.ts') },
      { find: /^nestjs-files\/(\w+)$/, replacement: lib('entry/$1.ts') },
    ],
  },
  test: {
    maxWorkers: '100%',
    projects: [
      { extends: true, test: { ...tests, name: 'unit', include: ['test/unit/**/*.spec.ts'], isolate: false } },
      { extends: true, test: { ...tests, name: 'together', include: together, isolate: false } },
      {
        extends: true,
        test: {
          ...tests,
          name: 'e2e',
          exclude: [...exclude, ...together],
          include: [
            'test/e2e/**/*.spec.ts',
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
