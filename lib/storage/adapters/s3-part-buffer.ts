/** Bytes that become the next part. */
export class PartBuffer {
  chunks: Uint8Array[] = [];
  /** How many bytes the part lacks. */
  missing: number;

  constructor(
    private readonly partSize: number,
    /** How many parts there are. */
    public parts: number,
  ) {
    this.missing = partSize;
  }

  add(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.missing -= chunk.length;
  }

  /** The same bytes, cut where a part ends. */
  *piecesOf(chunk: Uint8Array): Generator<Uint8Array, void> {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + this.missing);
      at += piece.length;
      yield piece;
    }
  }

  /** The part is whole: the next one begins. */
  next(): void {
    this.parts++;
    [this.chunks, this.missing] = [[], this.partSize];
  }

  /** The bytes that do not make a whole part yet. */
  rest(): Buffer {
    return Buffer.concat(this.chunks);
  }
}
