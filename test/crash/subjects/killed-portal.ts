import type { SweepReport } from 'nestjs-files';
import type { Answer } from '../../e2e/portal/portal-client.js';
import type { ChildOptions } from '../portal/portal-process.js';
import { PortalProcess } from '../portal/portal-process.js';
import type { Stage } from '../stage.js';
import type { Subject } from './subject.js';

// A process takes a second to start, so the next one does while one is at work.
const AHEAD = 1;

/**
 * A portal in a process of its own, which is killed before each statement and each change in the file system, before the answer, and
 * after it. A kill after a step is one before the next.
 */
export class KilledPortal implements Subject {
  readonly faults = ['SIGKILL'];
  readonly #processes: PortalProcess[] = [];
  #steps: readonly string[] = [];
  #point = 0;
  #url = '';

  private constructor(
    private readonly module: string,
    private readonly options: ChildOptions,
  ) {}

  static async start(module: string, { options, root }: Stage): Promise<KilledPortal> {
    const portal = new KilledPortal(module, { database: options, root });
    await portal.#use();
    return portal;
  }

  get url(): string {
    return this.#url;
  }

  count(): Promise<void> {
    return this.#process.count();
  }

  async points(): Promise<readonly string[]> {
    this.#steps = await this.#process.steps();
    return [...this.#steps, 'the answer', 'the end'];
  }

  async arm(point: number): Promise<void> {
    this.#point = point;
    const last = this.#steps.length;
    if (point <= last) return this.#process.count({ at: point, moment: 'before' });
    if (point === last + 1) return this.#process.count({ at: last, moment: 'after' });
  }

  async recover(answer: Answer<unknown> | undefined): Promise<boolean> {
    if (answer) await this.#process.kill();
    await this.#process.ended;
    this.#processes.shift();
    await this.#use();
    const isAtEnd = this.#point === this.#steps.length + 2;
    return isAtEnd === (answer !== undefined);
  }

  sweep(): Promise<SweepReport> {
    return this.#process.sweep();
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.kill()));
  }

  get #process(): PortalProcess {
    return this.#processes[0]!;
  }

  async #use(): Promise<void> {
    while (this.#processes.length <= AHEAD) this.#processes.push(new PortalProcess(this.module, this.options));
    this.#url = await this.#process.ready();
  }
}
