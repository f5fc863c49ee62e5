import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The project that has the tarball installed. */
    consumer: string;
    /** The packed tarball. */
    tarball: string;
  }
}

const run = promisify(execFile);
const repository = fileURLToPath(new URL('../../..', import.meta.url));
const sources = fileURLToPath(new URL('../consumer', import.meta.url));

let directory: string | undefined;

/**
 * Packs the library, installs the tarball into an empty project beside the peers it needs, and tells the tests where.
 */
export async function setup(project: TestProject): Promise<void> {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'nestjs-files-consumer-')));
  const tarball = await pack(directory);
  await install(directory, tarball);
  project.provide('consumer', directory);
  project.provide('tarball', tarball);
}

export async function teardown(): Promise<void> {
  if (directory) await rm(directory, { recursive: true, force: true });
}

async function pack(destination: string): Promise<string> {
  // With older versions of the peers, the library is still the one that is published.
  await npm(process.env['PACKED_FROM'] ?? repository, 'pack', '--pack-destination', destination);
  const name = (await readdir(destination)).find((file) => file.endsWith('.tgz'));
  if (!name) throw new Error(`npm pack left no tarball in ${destination}.`);
  return join(destination, name);
}

async function install(project: string, tarball: string): Promise<void> {
  const { peerDependencies = {}, peerDependenciesMeta = {} } = await manifest(process.env['PACKED_FROM'] ?? repository);
  const needed = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional);
  const beside = [...needed, '@nestjs/platform-express', 'better-sqlite3', '@types/node'];
  const versions = await Promise.all(
    beside.map(async (name) => [name, (await manifest(join(repository, 'node_modules', name))).version] as const),
  );
  const dependencies = { ...Object.fromEntries(versions), 'nestjs-files': `file:${tarball}` };
  await cp(sources, project, { recursive: true });
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'consumer', private: true, dependencies }));
  const quick = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock'];
  await npm(project, 'install', ...quick);
  await borrowNativeBuild(project);
}

/** Compiling SQLite takes a minute: the same version, compiled for this Node already, is in the repository. */
async function borrowNativeBuild(project: string): Promise<void> {
  const build = 'node_modules/better-sqlite3/build';
  await cp(join(repository, build), join(project, build), { recursive: true });
}

async function npm(cwd: string, ...args: string[]): Promise<void> {
  await run('npm', args, { cwd, maxBuffer: 64 * 1024 * 1024 });
}

interface Manifest {
  version: string;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

async function manifest(of: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(of, 'package.json'), 'utf8')) as Manifest;
}
