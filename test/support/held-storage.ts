import { memoryStorage } from '../../lib/storage/adapters/memory.storage.js';
import { FaultyStorage } from '../../lib/testing/faulty-storage.js';

/** A storage in memory whose removals wait, once `hold()` was called, until `release()` is. */
export class HeldStorage extends FaultyStorage {
  /** How many removals were under way at once, at most. */
  most = 0;
  #running = 0;
  #held: { opened: Promise<void>; open: () => void } | undefined;
  #arrivals: (() => void)[] = [];

  constructor() {
    super(memoryStorage());
  }

  hold(): void {
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    [this.#held, this.most] = [{ opened, open }, 0];
  }

  release(): void {
    this.#held?.open();
    this.#held = undefined;
  }

  /** Resolves when so many removals are under way. */
  async underWay(count: number): Promise<void> {
    while (this.#running < count) await new Promise<void>((resolve) => this.#arrivals.push(resolve));
  }

  override async remove(location: string): Promise<void> {
    this.most = Math.max(this.most, ++this.#running);
    for (const arrived of this.#arrivals.splice(0)) arrived();
    try {
      await this.#held?.opened;
      await super.remove(location);
    } finally {
      this.#running--;
    }
  }
}
