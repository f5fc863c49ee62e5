import { detach } from '../unit-of-work/scopes/ambient.js';

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Does the work of many callers at once, outside of any unit of work. Items that are given in one turn of the event
 * loop, or while others are worked on, go together: hundreds of requests would otherwise wait for as many commits.
 * Where the work fails for several, it is done for each alone, so that each caller is told what is wrong with its own.
 */
export class Together<Item, Result> {
  #waiting: Waiting<Item, Result>[] = [];
  #isBusy = false;

  /** The results are in the order of the items, of which there are at most `most`. */
  constructor(
    private readonly most: number,
    private readonly work: (items: readonly Item[]) => Promise<readonly Result[]>,
  ) {}

  do(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#isBusy) return;
      this.#isBusy = true;
      setImmediate(() => void detach(() => this.#doAll()));
    });
  }

  async #doAll(): Promise<void> {
    while (this.#waiting.length > 0) await this.#doSome(this.#waiting.splice(0, this.most));
    this.#isBusy = false;
  }

  /** Never throws. */
  async #doSome(some: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.work(some.map(({ item }) => item));
      for (const [at, { resolve }] of some.entries()) resolve(results[at] as Result);
    } catch (error) {
      const [first, ...others] = some;
      if (others.length > 0) for (const one of some) await this.#doSome([one]);
      else first?.reject(error);
    }
  }
}
