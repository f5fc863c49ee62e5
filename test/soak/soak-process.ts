import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { readdir, readlink } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { DataSourceOptions } from 'typeorm';
import { compileModule } from '../support/compiled-module.js';
import type { Measure } from './measure.js';

/** Where the application has its rows and its bytes. */
export interface SoakPlace {
  readonly database: DataSourceOptions;
  /** The directory of the storage. */
  readonly root: string;
  readonly seed: number;
  readonly poolSize: number;
}

export interface SoakCommand {
  readonly id: number;
  readonly do: 'disturb' | 'calm' | 'measure' | 'hangUp' | 'lendAll' | 'sweep';
}

type Message = { url: string } | { id: number; result?: unknown; failed?: string };

const SOURCE = fileURLToPath(new URL('soak.child.ts', import.meta.url));

/** The application in a process of its own. */
export class SoakProcess {
  readonly #results = new EventEmitter();
  #asked = 0;

  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {
    child.on('message', (message: Message) => {
      if ('id' in message) this.#results.emit(String(message.id), message);
    });
  }

  static async start(place: SoakPlace, directory: string): Promise<SoakProcess> {
    const module = await compileModule(SOURCE, directory);
    const child = spawn(process.execPath, ['--expose-gc', module, JSON.stringify(place)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const ended = once(child, 'exit').then(() => Promise.reject(new Error('The application has ended')));
    ended.catch(() => undefined);
    const [{ url }] = (await Promise.race([once(child, 'message'), ended])) as [{ url: string }];
    return new SoakProcess(child, url);
  }

  async ask(what: Exclude<SoakCommand['do'], 'measure'>): Promise<unknown> {
    return this.#ask(what);
  }

  async measure(): Promise<Measure> {
    return (await this.#ask('measure')) as Measure;
  }

  /**
   * The files that the process has open, by what they are: `socket`, `anon_inode`, or a path; undefined where nobody
   * can tell.
   */
  async handles(): Promise<string[] | undefined> {
    const directory = `/proc/${this.child.pid}/fd`;
    const names = await readdir(directory).catch(() => undefined);
    const targets = names?.map((name) => readlink(`${directory}/${name}`).catch(() => ''));
    return targets && (await Promise.all(targets)).filter((target) => target !== '').sort();
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.disconnect();
    await exited;
  }

  async #ask(what: SoakCommand['do']): Promise<unknown> {
    if (!this.child.connected) throw new Error('The application has ended');
    const id = this.#asked++;
    const answered = once(this.#results, String(id)) as Promise<[{ result?: unknown; failed?: string }]>;
    this.child.send({ id, do: what } satisfies SoakCommand);
    const [{ result, failed }] = await answered;
    if (failed !== undefined) throw new Error(`${what}: ${failed}`);
    return result;
  }
}
