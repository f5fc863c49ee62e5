import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { IsNull } from 'typeorm';
import type { FindOptionsWhere } from 'typeorm';
import { UploadBusyError } from '../../errors/uploads.errors.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { FILES_CLOCK } from '../clock.js';
import type { Clock } from '../clock.js';
import { notAfter } from '../columns.js';
import { DIRECT_UPLOAD_OPTIONS } from '../uploads/direct-upload-options.js';
import type { CheckedDirectUploadOptions } from '../uploads/direct-upload-options.js';
import type { FileUpload } from '../uploads/file-upload.entity.js';
import { UploadLease } from './upload-lease.js';
import { UploadRowWrites } from './upload-row-writes.js';

/**
 * How long a lease lasts, in milliseconds. A client that was cut off waits as long for the request that the server does
 * not know to be dead; so does one whose machine has died.
 */
export const UPLOAD_LEASE = Symbol('UPLOAD_LEASE');
export const UPLOAD_LEASE_DEFAULT = 5_000;

/**
 * Lets one request at a time append to an upload, on all machines: it writes a lease into the row, which it renews
 * while bytes come. A request without a lease is refused at once. The lease of a machine that died, or of a client that
 * sends nothing, expires.
 */
@Injectable()
export class UploadLeases {
  /** The requests that this process has under way, by the ids of their uploads. */
  readonly #held = new Map<string, UploadLease>();
  readonly #writes: UploadRowWrites;

  constructor(
    transactor: Transactor,
    @Inject(DIRECT_UPLOAD_OPTIONS) private readonly options: CheckedDirectUploadOptions,
    @Inject(UPLOAD_LEASE) private readonly lasts: number,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {
    this.#writes = new UploadRowWrites(transactor);
  }

  /**
   * Runs `work` while no other request appends to the upload; throws `UploadBusyError`. The upload lasts its full time
   * again from now on.
   */
  async hold<T>({ id }: FileUpload, work: (lease: UploadLease) => Promise<T>): Promise<T> {
    const owner = randomUUID();
    const free = [{ leaseUntil: IsNull() }, { leaseUntil: notAfter(new Date(this.now())) }];
    if (!(await this.#write(id, free, owner))) throw new UploadBusyError(id);
    const before = this.#held.get(id);
    const lease = new UploadLease(id, () => this.#write(id, [{ leaseOwner: owner }], owner), this.lasts);
    this.#held.set(id, lease);
    try {
      // One of this process that has lost its lease may still be about to write.
      await before?.giveUp();
      const result = await work(lease);
      // The clocks of machines differ.
      if (!lease.isSpent && !(await this.#release(id, owner))) throw new UploadBusyError(id);
      return result;
    } catch (error) {
      await this.#release(id, owner);
      throw error;
    } finally {
      lease.end();
      if (this.#held.get(id) === lease) this.#held.delete(id);
    }
  }

  /**
   * Ends the request of this process that appends to the upload, if there is one, and waits until it writes no more.
   */
  async interrupt(id: string): Promise<void> {
    await this.#held.get(id)?.giveUp();
  }

  #release(id: string, leaseOwner: string): Promise<boolean> {
    return this.#writes.change(id, [{ leaseOwner }], { leaseOwner: null, leaseUntil: null });
  }

  #write(id: string, terms: readonly FindOptionsWhere<FileUpload>[], leaseOwner: string): Promise<boolean> {
    const now = this.now();
    const lease = {
      leaseOwner,
      leaseUntil: new Date(now + this.lasts),
      expiresAt: new Date(now + this.options.expireAfter),
    };
    const open = terms.map((alternative) => ({ ...alternative, endedAt: IsNull() }));
    return this.#writes.change(id, open, lease);
  }
}
