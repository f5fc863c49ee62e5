export type Moment = 'before' | 'after';

/** Counts what a process does to the world outside of it, and kills the process at one of these steps. */
export class Steps {
  #names: string[] = [];
  #deadly: { at: number; moment: Moment } | undefined;

  /** What was done since the last `count`. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** Counts from here; dies at the n-th step from here, if one is named. The first is 1. */
  count(deadly?: { at: number; moment: Moment }): void {
    [this.#names, this.#deadly] = [[], deadly];
  }

  async through<T>(name: string, work: () => Promise<T>): Promise<T> {
    const at = this.#names.push(name);
    this.#die(at, 'before');
    const result = await work();
    this.#die(at, 'after');
    return result;
  }

  #die(at: number, moment: Moment): void {
    if (this.#deadly?.at === at && this.#deadly.moment === moment) process.kill(process.pid, 'SIGKILL');
  }
}
