import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import type { DataSourceOptions } from 'typeorm';

/** Where a replica has its rows and its bytes, and where it listens. */
export interface ReplicaPlace {
  readonly database: DataSourceOptions;
  readonly endpoint: string;
  readonly bucket: string;
  readonly port: number;
  /** Bytes of the files of a package. */
  readonly quota: number;
}

export interface Asked {
  readonly id: number;
  readonly do: 'ping' | 'sweep';
}

/** One of the portals: a process that is killed and started again at the same address. */
export class Replica {
  #child: ChildProcess | undefined;
  #asked = 0;
  #isEnding = false;
  readonly #answers = new EventEmitter();
  /** Ends of its process that nobody wanted. */
  readonly crashes: string[] = [];

  constructor(
    private readonly module: string,
    private readonly place: ReplicaPlace,
  ) {}

  /** As nginx calls it. */
  get address(): string {
    return `127.0.0.1:${this.place.port}`;
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [this.module, JSON.stringify(this.place)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    this.#isEnding = false;
    const ended = once(child, 'exit').then(([code, signal]) => {
      if (!this.#isEnding) this.crashes.push(`${this.address} ended with ${String(code ?? signal)}`);
    });
    child.on('message', (message: { id?: number; result?: unknown }) => {
      if (message.id === undefined) this.#answers.emit('ready');
      else this.#answers.emit(`${message.id}`, message.result);
    });
    await Promise.race([
      once(this.#answers, 'ready'),
      ended.then(() => Promise.reject(new Error('The replica did not start'))),
    ]);
  }

  /** Resolves when the process is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    this.#isEnding = true;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  async ask(what: Asked['do']): Promise<unknown> {
    const id = ++this.#asked;
    const answered = once(this.#answers, `${id}`);
    this.#child?.send({ id, do: what } satisfies Asked);
    return (await answered)[0];
  }
}
