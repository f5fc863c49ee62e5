import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Outcome {
  code: number;
  stdout: string;
  output: string;
}

const binaries = fileURLToPath(new URL('../../../node_modules/.bin', import.meta.url));

/** Runs a program and waits for its end; a failure is an outcome, not an exception. */
export function run(program: string, args: string[], cwd?: string): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(program, args, { cwd, timeout: 110_000, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : 1) : 0;
      resolve({ code, stdout, output: stdout + stderr });
    });
  });
}

/** Runs one of the repository's own tools. */
export const tool = (name: string, args: string[], cwd?: string): Promise<Outcome> =>
  run(join(binaries, name), args, cwd);

/** Runs a script with this Node. */
export const node = (args: string[], cwd?: string): Promise<Outcome> => run(process.execPath, args, cwd);
