import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import type { Repository } from 'typeorm';
import { LinkUsedError } from '../errors/access.errors.js';
import { FILES_CLOCK } from '../files/clock.js';
import type { Clock } from '../files/clock.js';
import { notAfter } from '../files/columns.js';
import { uuidV7 } from '../files/file-id.js';
import { Transactor } from '../unit-of-work/transactor.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import { FileLink } from './file-link.entity.js';

const CLEANING_INTERVAL = 60_000;

/** The rows of one-time links: there until the link is used or has expired. */
@Injectable()
export class OneTimeLinks {
  readonly #logger = new Logger(OneTimeLinks.name);
  #cleanedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly transactor: Transactor,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {}

  /** Makes a row and gives its id. In a unit of work it is part of it. */
  async add(fileId: string, expiresAt: Date): Promise<string> {
    const id = uuidV7();
    await this.#rows.insert({ id, fileId, expiresAt });
    const unit = this.transactor.current();
    if (unit) unit.afterCommit(() => this.#clean());
    else await this.#clean();
    return id;
  }

  async has(id: string): Promise<boolean> {
    return this.#rows.existsBy({ id });
  }

  /** Uses the link up; throws `LinkUsedError` for all calls but the first. */
  async take(id: string): Promise<void> {
    // If several calls delete the row at the same time, the database lets one succeed. The deletion runs in a unit,
    // because a unit runs at READ COMMITTED: at a higher default isolation the other calls would fail.
    const unit = this.transactor.current();
    const remove = ({ manager }: UnitOfWork) => manager.delete(FileLink, { id });
    const { affected } = await (unit ? remove(unit) : this.transactor.run(remove));
    if (affected !== 1) throw new LinkUsedError();
  }

  /** Undoes `take()`, if the file was not sent after all. */
  async giveBack(row: FileLink): Promise<void> {
    await this.#rows.insert(row);
  }

  /** Removes the rows of links that have expired, and gives their number. */
  async removeExpired(): Promise<number> {
    const { affected } = await this.#rows.delete({ expiresAt: notAfter(new Date(this.now())) });
    return affected ?? 0;
  }

  // Calls that make links also remove expired ones, now and then. A failure of that does not fail the call.
  async #clean(): Promise<void> {
    const now = this.now();
    if (now - this.#cleanedAt < CLEANING_INTERVAL) return;
    this.#cleanedAt = now;
    try {
      await this.removeExpired();
    } catch (error) {
      this.#logger.warn(`Could not remove expired links: ${String(error)}`);
    }
  }

  get #rows(): Repository<FileLink> {
    return this.transactor.dataSource.getRepository(FileLink);
  }
}
