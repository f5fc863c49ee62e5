#!/usr/bin/env node
import 'reflect-metadata';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Type } from '@nestjs/common';
import { UsageError } from './command.js';
import { runCommandLine } from './run-files-cli.js';

// Node.js 20 cannot import TypeScript, and later ones no decorators: the file can name the compiled module.
const CONFIGS = [
  'nestjs-files.config.js',
  'nestjs-files.config.mjs',
  'nestjs-files.config.cjs',
  'nestjs-files.config.ts',
];
const USUAL = ['dist/app.module.js', 'dist/src/app.module.js'];

/** The root module: of the file that `--module` names, of the configuration, or where `nest build` puts it. */
async function loadModule(named: string | undefined): Promise<Type> {
  const [path, name] = named === undefined ? [] : splitName(named);
  const file = path ?? [...CONFIGS, ...USUAL].find((candidate) => existsSync(candidate));
  if (file === undefined)
    throw new UsageError(
      `No root module was found: there is none of ${[...CONFIGS, ...USUAL].join(', ')} here. Build the application, or name the file: --module dist/app.module.js`,
    );
  if (!existsSync(file)) throw new UsageError(`--module is "${file}", and there is no such file.`);
  const exported = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  const found = name === undefined ? (exported['AppModule'] ?? rootOf(exported['default'])) : exported[name];
  if (typeof found === 'function') return found as Type;
  throw new UsageError(
    `${file} exports ${name ?? 'no AppModule'}${name === undefined ? ' and no default' : ', which is no class'}. Name the export: --module ${file}#MainModule`,
  );
}

// A CommonJS module is the default export of itself.
function rootOf(given: unknown): unknown {
  return typeof given === 'object' && given !== null
    ? ((given as Record<string, unknown>)['AppModule'] ?? given)
    : given;
}

function splitName(named: string): [path: string, name: string | undefined] {
  const at = named.lastIndexOf('#');
  return at < 0 ? [named, undefined] : [named.slice(0, at), named.slice(at + 1)];
}

/** Takes `--module PATH` out of the arguments, wherever it stands. */
function takeModule(argv: readonly string[]): { module: string | undefined; rest: string[] } {
  const at = argv.findIndex((word) => word === '--module' || word.startsWith('--module='));
  if (at < 0) return { module: undefined, rest: [...argv] };
  const word = argv[at] ?? '';
  const isJoined = word.startsWith('--module=');
  const module = isJoined ? word.slice('--module='.length) : argv[at + 1];
  return { module, rest: argv.filter((_, index) => index !== at && (isJoined || index !== at + 1)) };
}

const { module, rest } = takeModule(process.argv.slice(2));
process.exitCode = await runCommandLine(() => loadModule(module), { argv: rest });
