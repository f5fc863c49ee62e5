import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { on, once } from 'node:events';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import type { SweepReport } from 'nestjs-files';
import { build } from 'vite';
import type { Moment } from './steps.js';

export interface ChildOptions {
  database: TypeOrmModuleOptions;
  /** The directory of the storage. */
  root: string;
}

export interface ChildCommand {
  do: 'count' | 'steps' | 'sweep';
  deadly?: { at: number; moment: Moment } | undefined;
}

const pathOf = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Compiles the portal and the library into one module for Node, in `directory`; gives its path. */
export async function compilePortal(directory: string): Promise<string> {
  await build({
    configFile: pathOf('../../../vitest.config.ts'),
    logLevel: 'error',
    build: { ssr: pathOf('portal.child.ts'), outDir: directory, target: 'node20' },
  });
  await symlink(pathOf('../../../node_modules'), join(directory, 'node_modules'), 'junction');
  // What lies beside the modules, and is not compiled.
  await symlink(pathOf('../../../sample/portal/web/assets'), join(directory, 'assets'), 'junction');
  return join(directory, 'portal.child.js');
}

/** The portal in a process of its own. */
export class PortalProcess {
  // Keeps the answers that come before they are asked for.
  readonly #answers: AsyncIterator<[{ answer: unknown }]>;
  readonly #child: ChildProcess;
  readonly #started: Promise<string>;
  /** Resolves when the process is no more. */
  readonly ended: Promise<unknown>;

  /** Starts it; use it when it is `ready`. */
  constructor(module: string, options: ChildOptions) {
    this.#child = spawn(process.execPath, [module, JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#answers = on(this.#child, 'message') as AsyncIterator<[{ answer: unknown }]>;
    this.ended = once(this.#child, 'exit');
    this.#started = this.#answer() as Promise<string>;
    // Whoever waits for it hears of it; nobody may.
    this.#started.catch(() => undefined);
  }

  /** Resolves with where it listens. */
  ready(): Promise<string> {
    return this.#started;
  }

  /** Counts its steps from here; it dies at the one that is named. */
  async count(deadly?: ChildCommand['deadly']): Promise<void> {
    await this.#ask({ do: 'count', deadly });
  }

  async steps(): Promise<string[]> {
    return (await this.#ask({ do: 'steps' })) as string[];
  }

  async sweep(): Promise<SweepReport> {
    return (await this.#ask({ do: 'sweep' })) as SweepReport;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  #ask(command: ChildCommand): Promise<unknown> {
    this.#child.send(command);
    return this.#answer();
  }

  async #answer(): Promise<unknown> {
    const ended = this.ended.then(() => Promise.reject(new Error('The process of the portal has ended')));
    const { value } = await Promise.race([this.#answers.next(), ended]);
    return (value as [{ answer: unknown }])[0].answer;
  }
}
