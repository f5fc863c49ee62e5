import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { freePort } from '../../../scripts/free-ports.mjs';
import { compileModule } from '../../support/compiled-module.js';
import { newDirectory } from '../../support/files-directory.js';
import type { UploadsChildOptions } from './uploads.child.js';

let compiled: Promise<string> | undefined;

/** A server of uploads in a process of its own, with a database and a storage on disk, which outlive it. */
export class UploadsProcess {
  #child: ChildProcess | undefined;

  private constructor(
    private readonly script: string,
    private readonly options: UploadsChildOptions,
  ) {}

  static async start(page: string): Promise<UploadsProcess> {
    compiled ??= compileModule(fileURLToPath(new URL('./uploads.child.ts', import.meta.url)), newDirectory());
    const directory = newDirectory();
    const paths = {
      database: join(directory, 'files.db'),
      root: join(directory, 'files'),
      page: join(directory, 'page'),
    };
    await writeFile(paths.page, page);
    const server = new UploadsProcess(await compiled, { port: await freePort(), ...paths });
    onTestFinished(() => server.kill());
    await server.run();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.options.port}`;
  }

  async run(): Promise<void> {
    this.#child = fork(this.script, [JSON.stringify(this.options)]);
    await once(this.#child, 'message');
  }

  /** Without any farewell. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}
