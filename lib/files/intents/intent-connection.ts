import { Logger } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { ShuttingDownError } from '../../errors/units.errors.js';
import { endsWithin } from '../../unit-of-work/ends-within.js';
import { openBeside } from '../../unit-of-work/typeorm/open-beside.js';
import { ManagedFile } from '../managed-file.entity.js';
import { FileIntent } from './file-intent.entity.js';

/**
 * A connection for intents that have to commit while the caller's transaction is open, and for reads past its snapshot.
 * It is not one of the application's pool: if units held all of those and waited here for another one, none would ever
 * end.
 */
export class IntentConnection {
  readonly #logger = new Logger('FilesIntents');
  #opened: Promise<DataSource> | undefined;
  #isClosed = false;

  constructor(
    private readonly dataSource: DataSource,
    /** How many milliseconds `close()` waits. */
    private readonly patience = 1_000,
  ) {}

  /** Opens it when it is first needed. After `close()`, it throws `ShuttingDownError`: nobody would close it again. */
  async open(): Promise<DataSource> {
    if (this.#isClosed) throw new ShuttingDownError();
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  /** Never throws: the rest of a shutdown does not depend on it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const opened = this.#opened;
    this.#opened = undefined;
    // Whoever opens it is told why that fails.
    const ended = opened?.then(
      (one) => one.destroy(),
      () => undefined,
    );
    try {
      if (ended && !(await endsWithin(ended, this.patience)))
        this.#logger.warn('The shutdown leaves the connection for intents, because the database does not answer');
    } catch (error) {
      this.#logger.warn(`The connection for intents could not be closed: ${String(error)}`);
    }
  }

  async #open(): Promise<DataSource> {
    const opened = await openBeside(this.dataSource, [FileIntent, ManagedFile]);
    if (!this.#isClosed) return opened;
    await opened.destroy();
    throw new ShuttingDownError();
  }
}
