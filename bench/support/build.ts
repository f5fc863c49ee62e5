import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
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

/** Builds a commit in a folder of its own, which is gone when the process ends. Its packages are those of this checkout if it locks the same. */
export function buildOf(ref: string): Build {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-files-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  const commit = execFileSync('git', ['rev-parse', '--verify', `${ref}^{commit}`], {
    cwd: repository,
    encoding: 'utf8',
  });
  run('git', 'clone', '--quiet', '--no-checkout', '--shared', repository, folder);
  run('git', 'checkout', '--quiet', '--detach', commit.trim());
  const locked = (root: string): string => readFileSync(join(root, 'package-lock.json'), 'utf8');
  const packages = join(repository, 'node_modules');
  if (locked(folder) === locked(repository) && existsSync(packages)) {
    cpSync(packages, join(folder, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  } else {
    run('npm', 'ci');
  }
  run(process.execPath, 'node_modules/typescript/bin/tsc', '--noEmit', 'false', '--outDir', 'node_modules/.bench');
  return { name: ref, root: pathToFileURL(`${folder}/node_modules/.bench/bench/`) };
}

/** A module of a build: of the same shape in every build that can be measured. */
export async function moduleOf<Module>({ root }: Build, path: string): Promise<Module> {
  return (await import(fileURLToPath(new URL(path, root)))) as Module;
}
