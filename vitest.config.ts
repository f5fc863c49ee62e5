import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';

const lib = (path: string) => fileURLToPath(new URL(`./lib/${path}`, import.meta.url));

export default defineConfig({
  // vitest takes decorator options from a tsconfig only for the files that it includes; these hold for every file.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  resolve: {
    alias: [
      { find: /^nestjs-files$/, replacement: lib('index.ts') },
      { find: /^nestjs-files\/storage\/(\w+)$/, replacement: lib('storage/adapters/$1.storage.ts') },
      { find: /^nestjs-files\/testing$/, replacement: lib('testing/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.spec.ts', 'sample/**/*.spec.ts'],
    exclude: [...configDefaults.exclude, 'test/package/**'],
    setupFiles: ['test/support/setup.ts'],
    testTimeout: 20_000,
  },
});
