import type { DataSource } from 'typeorm';
import { openBeside } from '../../unit-of-work/typeorm/open-beside.js';
import { ManagedFile } from '../managed-file.entity.js';
import { FileIntent } from './file-intent.entity.js';

/**
 * A connection for intents that have to commit while the caller's transaction is open, and for reads past its snapshot.
 * It is not one of the application's pool: if units held all of those and waited here for another one, none would ever
 * end.
 */
export class IntentConnection {
  #opened: Promise<DataSource> | undefined;

  constructor(private readonly dataSource: DataSource) {}

  /** Opens it when it is first needed. */
  open(): Promise<DataSource> {
    this.#opened ??= openBeside(this.dataSource, [FileIntent, ManagedFile]).catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    this.#opened = undefined;
    await opened?.destroy();
  }
}
