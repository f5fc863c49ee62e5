// As TypeORM words them.
const BEGIN = 'START TRANSACTION';
const SET_ISOLATION = /^SET TRANSACTION (?=ISOLATION LEVEL )/;
const ENDS = new Set(['COMMIT', 'ROLLBACK']);

/** What begins a transaction on one connection, held back until something goes there that it can go with. */
export class HeldBegin {
  #statement: string | undefined;
  #holds = false;
  /** Whether it was sent and failed: what comes after it would be committed at once. */
  isOutside = false;

  /** Whether anything waits to be sent. */
  get isWaiting(): boolean {
    return this.#statement !== undefined;
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
    if (this.#holds && sql === BEGIN) this.#statement = BEGIN;
    // One statement does both.
    else if (this.#holds && this.#statement === BEGIN && SET_ISOLATION.test(sql))
      this.#statement = sql.replace(SET_ISOLATION, `${BEGIN} `);
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
