// As TypeORM words them.
const BEGIN = 'START TRANSACTION';
const SET_ISOLATION = 'SET TRANSACTION ISOLATION LEVEL ';
const ENDS = new Set(['COMMIT', 'ROLLBACK']);

/** What begins a transaction on one connection, held back until something goes there that it can go with. */
export class HeldBegin {
  #statement: string | undefined;
  #isolation: string | undefined;
  #holds = false;
  /** Whether it was sent and failed: what comes after it would be committed at once. */
  isOutside = false;

  /** Whether anything waits to be sent. */
  get isWaiting(): boolean {
    return this.#statement !== undefined;
  }

  /** Runs `start`, and holds back what it sends to begin a transaction; at this isolation, whatever it asks for itself. */
  async during(start: () => Promise<void>, isolation?: string): Promise<void> {
    this.#holds = true;
    this.#isolation = isolation;
    this.isOutside = false;
    try {
      await start();
    } finally {
      this.#holds = false;
    }
  }

  /** Holds back what begins a transaction at this isolation; gives its text. */
  hold(isolation: string): string {
    this.isOutside = false;
    return (this.#statement = `${BEGIN} ISOLATION LEVEL ${isolation}`);
  }

  /** Whether the statement was taken and need not be sent now: it begins a transaction, or ends one that was never begun on the server. */
  takes(sql: string): boolean {
    // One statement does both.
    if (this.#holds && sql === BEGIN)
      this.#statement = this.#isolation ? `${BEGIN} ISOLATION LEVEL ${this.#isolation}` : BEGIN;
    else if (this.#holds && this.isWaiting && sql.startsWith(SET_ISOLATION))
      this.#statement = this.#isolation ? this.#statement : sql.replace(SET_ISOLATION, `${BEGIN} ISOLATION LEVEL `);
    else if (this.isWaiting && ENDS.has(sql)) this.#statement = undefined;
    else return false;
    return true;
  }

  /** What has to be sent, which the caller does. */
  release(): string {
    const statement = this.#statement ?? BEGIN;
    this.#statement = undefined;
    return statement;
  }
}
