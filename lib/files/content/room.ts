/** How many bytes an owner may still take: content is counted against it while it is read. */
export class Room {
  constructor(
    readonly bytes: number,
    /** The error to throw for content of so many bytes. */
    readonly exceeded: (bytes: number) => Error,
  ) {}

  /** The room that is left when so many bytes of it are taken. */
  without(taken: number): Room {
    return new Room(this.bytes - taken, (bytes) => this.exceeded(bytes + taken));
  }
}
