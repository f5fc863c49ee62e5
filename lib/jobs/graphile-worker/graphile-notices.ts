import { once } from 'node:events';
import type { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { endsWithin } from '../../unit-of-work/ends-within.js';
import { openBeside } from '../../unit-of-work/typeorm/open-beside.js';
import { GRACE } from '../running-jobs.js';

/** A connection of `pg`, as far as it is needed to listen. */
export interface ListeningClient extends EventEmitter {
  /** As in pg. */
  query(sql: string): Promise<unknown>;
}

/** A connection that a pool has lent. */
export interface PooledClient extends ListeningClient {
  /** As in pg. */
  release(destroy?: boolean): void;
}

/** A pool of `pg`, as far as it is needed to listen. */
export interface ListeningPool {
  /** As in pg. */
  connect(): Promise<PooledClient>;
}

interface Connection {
  readonly client: ListeningClient;
  close(): Promise<void> | void;
}

const RECONNECT_AFTER = 1_000;

/**
 * Hears when jobs are committed, by any process. While it has no connection, the engine finds jobs only when it looks
 * for them.
 */
export class GraphileNotices {
  readonly #logger = new Logger('FilesJobs');
  readonly #closing = new AbortController();
  readonly #listening: Promise<void>;

  /** @param pool of the application; without it, one connection is opened beside the pool of the data source */
  constructor(
    private readonly dataSource: DataSource,
    private readonly pool: ListeningPool | undefined,
    private readonly heard: () => void,
  ) {
    this.#listening = this.#listen();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    // A connection that is being opened can take long; it is closed as soon as it is there.
    if (!(await endsWithin(this.#listening, GRACE)))
      this.#logger.warn('The shutdown leaves a connection for new jobs that is being opened');
  }

  /** Never rejects. */
  async #listen(): Promise<void> {
    const { signal } = this.#closing;
    for (;;) {
      const failure = await this.#listenOnce(signal).catch((error: unknown) => error);
      if (signal.aborted) return;
      this.#logger.warn(`The engine does not hear of new jobs, and looks for them meanwhile: ${String(failure)}`);
      // Rejects only if this is closed meanwhile.
      await delay(RECONNECT_AFTER, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Rejects when the connection has ended, or if there is none. */
  async #listenOnce(signal: AbortSignal): Promise<never> {
    const { client, close } = await (this.pool ? fromPool(this.pool) : beside(this.dataSource));
    const heard = (): void => this.heard();
    const failed = (error: unknown): void => this.#logger.warn(`The connection for new jobs failed: ${String(error)}`);
    try {
      client.on('notification', heard).on('error', failed);
      const ended = once(client, 'end', { signal });
      // There is no notice about jobs that were committed before.
      const began = client.query('LISTEN "jobs:insert"').then(heard);
      await Promise.all([ended, began]);
      throw new Error('the connection has ended');
    } finally {
      client.off('notification', heard);
      await close();
    }
  }
}

async function fromPool(pool: ListeningPool): Promise<Connection> {
  const client = await pool.connect();
  return { client, close: () => client.release(true) };
}

async function beside(dataSource: DataSource): Promise<Connection> {
  const opened = await openBeside(dataSource, []);
  const runner = opened.createQueryRunner();
  try {
    const client = (await runner.connect()) as ListeningClient;
    return { client, close: () => opened.destroy() };
  } catch (error) {
    await opened.destroy();
    throw error;
  }
}
