const FIRST_PIECE = 16;
const PIECE = 1024;

interface Piece<T> {
  readonly items: (T | undefined)[];
  next: Piece<T> | undefined;
}

/**
 * First in, first out. Kept in pieces of a fixed size, because a long array is slow to grow, and its `shift()` moves
 * all that is left.
 */
export class Fifo<T extends object> {
  #first: Piece<T> = pieceOf(FIRST_PIECE);
  #last = this.#first;
  /** How many of the first piece are taken, and how many places of the last are used. */
  #taken = 0;
  #used = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#used === this.#last.items.length) {
      this.#last = this.#last.next = pieceOf(PIECE);
      this.#used = 0;
    }
    this.#last.items[this.#used++] = item;
    this.#size++;
  }

  /** The next item, if any. */
  peek(): T | undefined {
    if (this.#size === 0) return undefined;
    if (this.#taken === this.#first.items.length && this.#first.next) {
      this.#first = this.#first.next;
      this.#taken = 0;
    }
    return this.#first.items[this.#taken];
  }

  /** Takes the next item, if any. */
  shift(): T | undefined {
    const item = this.peek();
    if (item === undefined) return undefined;
    this.#first.items[this.#taken++] = undefined;
    this.#size--;
    return item;
  }

  /** The items, in order. */
  *[Symbol.iterator](): Generator<T> {
    for (let piece: Piece<T> | undefined = this.#first; piece; piece = piece.next) {
      for (const item of piece.items) if (item !== undefined) yield item;
    }
  }
}

function pieceOf<T>(size: number): Piece<T> {
  const items: (T | undefined)[] = [];
  items.length = size;
  return { items, next: undefined };
}
