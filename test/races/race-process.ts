import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { compileModule } from '../support/compiled-module.js';
import type { RaceAppOptions } from './race-app.js';

export type RaceCommand = { start: RaceAppOptions } | { begin: string };
type RaceReport = { ready: true } | { url: string } | { failed: string } | { arrived: string };

const SOURCE = fileURLToPath(new URL('race.child.ts', import.meta.url));

/** Two processes of the application; handlers of both can wait for each other. */
export class RaceProcesses {
  readonly #children: ChildProcess[];
  readonly #waiting = new Map<string, number>();

  private constructor(module: string) {
    this.#children = [1, 2].map(() => {
      const child = spawn(process.execPath, [module], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      child.setMaxListeners(0);
      child.on('message', (report: RaceReport) => {
        if ('arrived' in report) this.#arrived(report.arrived);
      });
      return child;
    });
  }

  static async start(directory: string): Promise<RaceProcesses> {
    const processes = new RaceProcesses(await compileModule(SOURCE, directory));
    await Promise.all(processes.#children.map((child) => once(child, 'message')));
    return processes;
  }

  /** Starts the application in both; gives where they listen. */
  async serve(options: RaceAppOptions): Promise<string[]> {
    return Promise.all(
      this.#children.map(async (child) => {
        const answer = once(child, 'message') as Promise<[RaceReport]>;
        child.send({ start: options } satisfies RaceCommand);
        const [report] = await answer;
        if (!('url' in report)) throw new Error(`The application did not start: ${JSON.stringify(report)}`);
        return report.url;
      }),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        const exited = once(child, 'exit');
        child.disconnect();
        await exited;
      }),
    );
  }

  #arrived(meeting: string): void {
    const present = (this.#waiting.get(meeting) ?? 0) + 1;
    this.#waiting.set(meeting, present);
    if (present < 2) return;
    this.#waiting.delete(meeting);
    for (const child of this.#children) child.send({ begin: meeting } satisfies RaceCommand);
  }
}
