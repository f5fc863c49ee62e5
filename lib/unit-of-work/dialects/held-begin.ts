// As TypeORM words them.
const BEGINS = /^START TRANSACTION$|^SET TRANSACTION ISOLATION LEVEL /;
const ENDS = new Set(['COMMIT', 'ROLLBACK']);

/** What begins a transaction on one connection, held back until something goes there that it can go with. */
export class HeldBegin {
  #statements: string[] = [];
  #holds = false;
  /** Whether it was sent and failed: what comes after it would be committed at once. */
  isOutside = false;

  /** Whether anything waits to be sent. */
  get isWaiting(): boolean {
    return this.#statements.length > 0;
  }

  /** Runs `start`, and holds back what it sends to begin a transaction. */
  async during(start: () => Promise<void>): Promise<void> {
    this.#holds = true;
    this.isOutside = false;
    try {
      await start();
    } finally {
      this.#holds = false;
    }
  }

  /** Whether the statement was taken, and needs not be sent now: it begins, or ends what was never begun on the server. */
  takes(sql: string): boolean {
    if (this.#holds && BEGINS.test(sql)) return this.#statements.push(sql) > 0;
    if (!this.isWaiting || !ENDS.has(sql)) return false;
    this.#statements = [];
    return true;
  }

  /** What has to be sent, which the caller does. */
  release(): readonly string[] {
    const statements = this.#statements;
    this.#statements = [];
    return statements;
  }
}
