import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A build of the benchmarks and the library, at some commit. */
export interface Build {
  readonly name: string;
  /** The folder of its compiled `bench`, with a slash at the end. */
  readonly root: URL;
}

/** The build that runs. */
export const thisBuild: Build = { name: 'this build', root: new URL('../', import.meta.url) };

const repository = execFileSync('git', ['rev-parse', '--show-toplevel'], { encoding: 'utf8' }).trim();

/**
 * Builds a commit in a folder of its own, which is gone when the process ends. It gets the packages of this checkout,
 * so that only the library differs; its own where it does not compile with these.
 */
export function buildOf(ref: string): Build {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-files-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  const commit = execFileSync('git', ['rev-parse', '--verify', `${ref}^{commit}`], {
    cwd: repository,
    encoding: 'utf8',
  });
  const run = (command: string, ...args: string[]): void =>
    void execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  const compile = (): void =>
    run(process.execPath, 'node_modules/typescript/bin/tsc', '--noEmit', 'false', '--outDir', 'node_modules/.bench');
  run('git', 'clone', '--quiet', '--no-checkout', '--shared', repository, folder);
  run('git', 'checkout', '--quiet', '--detach', commit.trim());
  cpSync(join(repository, 'node_modules'), join(folder, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  rmSync(join(folder, 'node_modules/.bench'), { recursive: true, force: true });
  try {
    compile();
  } catch {
    console.log(`${ref} does not compile with the packages of this checkout: its own are installed`);
    run('npm', 'ci', '--silent');
    compile();
  }
  return { name: ref, root: pathToFileURL(`${folder}/node_modules/.bench/bench/`) };
}

/** A module of a build: of the same shape in every build that can be measured. */
export async function moduleOf<Module>({ root }: Build, path: string): Promise<Module> {
  return (await import(fileURLToPath(new URL(path, root)))) as Module;
}
