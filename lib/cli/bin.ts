#!/usr/bin/env node
import 'reflect-metadata';
import { existsSync, statSync } from 'node:fs';
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
async function loadModule(given: readonly (string | undefined)[]): Promise<Type> {
  const [named, ...more] = given;
  if (more.length > 0) throw new UsageError('--module is given twice.');
  if (given.length > 0 && !named) throw new UsageError('--module names no file.');
  const [path, name] = named === undefined ? [] : splitName(named);
  const file = path ?? [...CONFIGS, ...USUAL].find((candidate) => existsSync(candidate));
  if (file === undefined)
    throw new UsageError(
      `No root module was found: there is none of ${[...CONFIGS, ...USUAL].join(', ')} here. Build the application, or name the file: --module dist/app.module.js`,
    );
  if (!statSync(file, { throwIfNoEntry: false })?.isFile())
    throw new UsageError(`--module is "${file}", and there is no such file.`);
  const exported = await exportsOf(file);
  const found = (name === undefined ? ['AppModule', 'default'] : [name])
    .flatMap((key) => exported.map((names) => names[key]))
    .find((value) => typeof value === 'function');
  if (found) return found as Type;
  throw new UsageError(
    `${file} exports ${name ?? 'no AppModule'}${name === undefined ? ' and no default' : ', which is no class'}. Name the export: --module ${file}#MainModule`,
  );
}

/** By name. The default export of a CommonJS module is the object that has all of its exports. */
async function exportsOf(file: string): Promise<Readonly<Record<string, unknown>>[]> {
  try {
    const exported = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
    const inner = exported['default'];
    return typeof inner === 'object' && inner !== null ? [exported, inner as Record<string, unknown>] : [exported];
  } catch (cause) {
    if (!/UNKNOWN_FILE_EXTENSION|_TYPESCRIPT_/.test(String((cause as { code?: unknown }).code))) throw cause;
    throw new UsageError(
      `Node.js ${process.version} cannot run the TypeScript of ${file}: ${(cause as Error).message} Build the application, and name the compiled file.`,
      { cause },
    );
  }
}

function splitName(named: string): [path: string, name: string | undefined] {
  const at = named.lastIndexOf('#');
  return at < 0 ? [named, undefined] : [named.slice(0, at), named.slice(at + 1)];
}

/** Takes `--module PATH` out of the arguments, wherever it stands. */
function takeModule(argv: readonly string[]): { modules: (string | undefined)[]; rest: string[] } {
  const modules: (string | undefined)[] = [];
  const rest: string[] = [];
  const words = argv.values();
  for (const word of words) {
    if (word === '--module') modules.push(words.next().value);
    else if (word.startsWith('--module=')) modules.push(word.slice('--module='.length));
    else rest.push(word);
  }
  return { modules, rest };
}

/** Resolves when all is written, or cannot be. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => void stream.write('', () => resolve()));
}

const { modules, rest } = takeModule(process.argv.slice(2));
const code = await runCommandLine(() => loadModule(modules), { argv: rest });
process.exitCode = code;
if (code === 3) {
  // An application that failed to boot may have left timers and connections that nobody can end.
  await Promise.all([process.stdout, process.stderr].map(written));
  process.exit();
}
