const PIECE = 1024;

interface Piece<T> {
  readonly items: (T | undefined)[];
  next: Piece<T> | undefined;
}

/** First in, first out. In pieces: one long array is slow to grow, and its `shift()` takes time for all that is left. */
export class Fifo<T extends object> {
  #first: Piece<T> = { items: [], next: undefined };
  #last = this.#first;
  #taken = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#last.items.length === PIECE) this.#last = this.#last.next = { items: [], next: undefined };
    this.#last.items.push(item);
    this.#size++;
  }

  /** What comes next, if anything. */
  peek(): T | undefined {
    if (this.#taken === PIECE && this.#first.next) {
      this.#first = this.#first.next;
      this.#taken = 0;
    }
    return this.#first.items[this.#taken];
  }

  /** Takes what comes next, if anything. */
  shift(): T | undefined {
    const item = this.peek();
    if (!item) return undefined;
    this.#first.items[this.#taken++] = undefined;
    this.#size--;
    return item;
  }

  /** What is in it, in order. */
  *[Symbol.iterator](): Generator<T> {
    let from = this.#taken;
    for (let piece: Piece<T> | undefined = this.#first; piece; piece = piece.next) {
      for (; from < piece.items.length; from++) yield piece.items[from] as T;
      from = 0;
    }
  }
}
