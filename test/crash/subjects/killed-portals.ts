import type { SweepReport } from 'nestjs-files/maintenance';
import type { Answer } from '../../e2e/portal/portal-client.js';
import { PortalProcess } from '../portal/portal-process.js';
import type { Place } from '../portal/portal-process.js';
import type { Stage } from '../stage.js';
import type { Subject } from './subject.js';

/**
 * Portals that share a process. Each is held before one of its statements or changes in the file system, before its
 * answer, or gives the answer; when all are where they should be, the process is killed, and another takes over. A kill
 * after a step is one before the next.
 */
export class KilledPortals {
  readonly portals: readonly KilledPortal[];
  // The first is at work; the others start meanwhile, because that takes seconds.
  readonly #processes: PortalProcess[] = [];
  readonly #places: Place[];
  #urls: string[] = [];
  #awaited = 0;
  #replaced: Promise<void> = Promise.resolve();
  #onAllThere: () => void = () => undefined;

  private constructor(
    private readonly module: string,
    stages: readonly Stage[],
  ) {
    this.#places = stages.map(({ options, bytes }) => ({ database: options, ...bytes.place }));
    this.portals = stages.map((_, index) => new KilledPortal(this, index));
  }

  static async start(module: string, stages: readonly Stage[]): Promise<KilledPortals> {
    const all = new KilledPortals(module, stages);
    await all.#use();
    return all;
  }

  get process(): PortalProcess {
    return this.#processes[0]!;
  }

  urlOf(portal: number): string {
    return this.#urls[portal]!;
  }

  /** The next kill comes when so many portals are where they should be. */
  awaitAll(count: number): void {
    this.#awaited = count;
    const arrived = new Promise<void>((resolve) => (this.#onAllThere = resolve));
    this.#replaced = arrived.then(() => this.replace());
  }

  /** Another one is where it should be. */
  arrive(): void {
    if (--this.#awaited === 0) this.#onAllThere();
  }

  /** Resolves when another process has taken over. */
  replaced(): Promise<void> {
    return this.#replaced;
  }

  /** Kills the process; resolves when another one has taken over. */
  async replace(): Promise<void> {
    await this.#processes.shift()!.kill();
    await this.#use();
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.kill()));
  }

  async #use(): Promise<void> {
    while (this.#processes.length < 2)
      this.#processes.push(new PortalProcess(this.module, this.#places, () => this.arrive()));
    this.#urls = await this.process.ready();
  }
}

class KilledPortal implements Subject {
  readonly faults = ['SIGKILL'];
  #steps: readonly string[] = [];
  #point = 0;

  constructor(
    private readonly all: KilledPortals,
    private readonly index: number,
  ) {}

  get url(): string {
    return this.all.urlOf(this.index);
  }

  count(): Promise<void> {
    return this.all.process.count(this.index);
  }

  async points(): Promise<readonly string[]> {
    this.#steps = await this.all.process.steps(this.index);
    return [...this.#steps, 'the answer', 'the end'];
  }

  async arm(point: number): Promise<void> {
    this.#point = point;
    const last = this.#steps.length;
    if (point <= last) return this.all.process.count(this.index, { at: point, moment: 'before' });
    if (point === last + 1) return this.all.process.count(this.index, { at: last, moment: 'after' });
  }

  async recover(answer: Answer<unknown> | undefined): Promise<boolean> {
    if (answer) this.all.arrive();
    await this.all.replaced();
    const isAtEnd = this.#point === this.#steps.length + 2;
    return isAtEnd === (answer !== undefined);
  }

  sweep(): Promise<SweepReport> {
    return this.all.process.sweep(this.index);
  }
}
