export type Moment = 'before' | 'after';

/** Counts what a portal does to the world outside of it, and holds it for ever at one of these steps. */
export class Steps {
  #names: string[] = [];
  #last: { at: number; moment: Moment } | undefined;

  /** `onHeld` is called when the step has come. */
  constructor(private readonly onHeld: () => void) {}

  /** What was done since the last `count`. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** Counts from here; holds at the n-th step from here, if one is named. The first is 1. */
  count(last?: { at: number; moment: Moment }): void {
    [this.#names, this.#last] = [[], last];
  }

  async through<T>(name: string, work: () => Promise<T>): Promise<T> {
    const at = this.#names.push(name);
    await this.#hold(at, 'before');
    const result = await work();
    await this.#hold(at, 'after');
    return result;
  }

  async #hold(at: number, moment: Moment): Promise<void> {
    if (this.#last?.at !== at || this.#last.moment !== moment) return;
    this.onHeld();
    await new Promise(() => undefined);
  }
}
