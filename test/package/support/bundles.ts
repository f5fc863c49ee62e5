import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';
import { rolldown } from 'rolldown';
import webpack from 'webpack';

/** Bundles a script with all that it loads into another; a bundle that is an ES module ends in `.mjs`. */
export type Bundler = (script: string, bundle: string) => Promise<void>;

/** What cannot be in a bundle: native code, and what Nest and TypeORM would load if it were installed. */
function isOutside(script: string): (name: string) => boolean {
  const { resolve } = createRequire(script);
  const isMissing = (name: string): boolean => {
    try {
      return resolve(name) === undefined;
    } catch (error) {
      return (error as { code?: string }).code === 'MODULE_NOT_FOUND';
    }
  };
  return (name) => name === 'better-sqlite3' || (/^[@\w]/.test(name) && isMissing(name));
}

const withWebpack: Bundler = (script, bundle) => {
  const outside = isOutside(script);
  const compiler = webpack({
    target: 'node',
    mode: 'production',
    optimization: { minimize: false },
    entry: script,
    output: { path: join(bundle, '..'), filename: bundle.slice(bundle.lastIndexOf('/') + 1) },
    externals: [({ request }, done) => (outside(request) ? done(undefined, `commonjs ${request}`) : done())],
    // TypeORM and its drivers load by names that are known only when they run.
    ignoreWarnings: [/Critical dependency/, /require function is used/],
  })!;
  return new Promise((resolve, reject) => {
    compiler.run((error, stats) => {
      if (error) return reject(error);
      if (stats?.hasErrors()) return reject(new Error(stats.toString('errors-only')));
      resolve();
    });
  });
};

const withEsbuild =
  (minify: boolean): Bundler =>
  async (script, bundle) => {
    const outside = isOutside(script);
    await build({
      entryPoints: [script],
      outfile: bundle,
      bundle: true,
      minify,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
      banner: { js: `import { createRequire as r } from 'node:module'; const require = r(import.meta.url);` },
      plugins: [
        {
          name: 'outside',
          setup: ({ onResolve }) => {
            onResolve({ filter: /^[@\w]/ }, ({ path }) => (outside(path) ? { path, external: true } : undefined));
          },
        },
      ],
    });
  };

const withRolldown: Bundler = async (script, bundle) => {
  const built = await rolldown({ input: script, platform: 'node', external: isOutside(script), logLevel: 'silent' });
  await built.write({ file: bundle, format: 'esm', codeSplitting: false });
  await built.close();
};

export const BUNDLERS: Readonly<Record<string, { readonly bundle: Bundler; readonly file: string }>> = {
  'webpack, with all packages inside': { bundle: withWebpack, file: 'webpack.cjs' },
  esbuild: { bundle: withEsbuild(false), file: 'esbuild.mjs' },
  'esbuild, minified': { bundle: withEsbuild(true), file: 'minified.mjs' },
  rolldown: { bundle: withRolldown, file: 'rolldown.mjs' },
};
