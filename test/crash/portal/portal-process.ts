import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import type { SweepReport } from 'nestjs-files/maintenance';
import { compileModule } from '../../support/compiled-module.js';
import type { BytesPlace } from '../bytes.js';
import type { Moment } from './steps.js';

/** Where a portal has its rows and its bytes. */
export interface Place extends BytesPlace {
  database: TypeOrmModuleOptions;
}

export interface Command {
  portal: number;
  do: 'count' | 'steps' | 'sweep';
  last?: { at: number; moment: Moment } | undefined;
}

type Message = { urls: string[] } | { portal: number; held: true } | { portal: number; result: unknown };

const pathOf = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Compiles the portal and the library into one module for Node, in `directory`; gives its path. */
export async function compilePortal(
  directory: string,
  source = new URL('portal.child.ts', import.meta.url),
): Promise<string> {
  const module = await compileModule(fileURLToPath(source), directory);
  // What lies beside the modules, and is not compiled.
  await symlink(pathOf('../../../sample/portal/web/assets'), join(directory, 'assets'), 'junction');
  return module;
}

/** Portals in one process of their own: what takes long is to start it, not to start another portal in it. */
export class PortalProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #started: Promise<string[]>;
  readonly #results = new EventEmitter();

  /**
   * Starts it; use it when it is `ready`. `onHeld` hears of each portal that has come to the step where it is to hold.
   */
  constructor(module: string, places: readonly Place[], onHeld: (portal: number) => void) {
    this.#child = spawn(process.execPath, [module, JSON.stringify(places)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#ended = once(this.#child, 'exit');
    this.#started = new Promise((resolve, reject) => {
      this.#child.on('message', (message: Message) => {
        if ('urls' in message) resolve(message.urls);
        else if ('held' in message) onHeld(message.portal);
        else this.#results.emit(`${message.portal}`, message.result);
      });
      void this.#ended.then(() => reject(new Error('The process of the portals has ended')));
    });
    // Whoever waits for it hears of it; nobody may.
    this.#started.catch(() => undefined);
  }

  /** Resolves with where the portals listen. */
  ready(): Promise<string[]> {
    return this.#started;
  }

  /** Counts the portal's steps from here; it holds at the one that is named. */
  async count(portal: number, last?: Command['last']): Promise<void> {
    await this.#ask({ portal, do: 'count', last });
  }

  async steps(portal: number): Promise<string[]> {
    return (await this.#ask({ portal, do: 'steps' })) as string[];
  }

  async sweep(portal: number): Promise<SweepReport> {
    return (await this.#ask({ portal, do: 'sweep' })) as SweepReport;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  async #ask(command: Command): Promise<unknown> {
    const answered = once(this.#results, `${command.portal}`);
    this.#child.send(command);
    return (await answered)[0];
  }
}
