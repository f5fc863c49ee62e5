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
import { FileUpload } from '../uploads/file-upload.entity.js';
import { UploadLease } from './upload-lease.js';

// A client that was cut off waits as long for the request that the server does not know to be dead; so does one whose machine has died.
const LEASE = 5_000;

/**
 * Lets one request at a time append to an upload, on all machines: it writes a lease into the row, which it renews while bytes come. A request
 * without a lease is refused at once. The lease of a machine that died, or of a client that sends nothing, expires.
 */
@Injectable()
export class UploadLeases {
  /** The requests that this process has under way, by the ids of their uploads. */
  readonly #held = new Map<string, UploadLease>();

  constructor(
    private readonly transactor: Transactor,
    @Inject(DIRECT_UPLOAD_OPTIONS) private readonly options: CheckedDirectUploadOptions,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {}

  /** Runs `work` while no other request appends to the upload; throws `UploadBusyError`. The upload lasts its full time again from now on. */
  async hold<T>({ id }: FileUpload, work: (lease: UploadLease) => Promise<T>): Promise<T> {
    const owner = randomUUID();
    const free = [{ leaseUntil: IsNull() }, { leaseUntil: notAfter(new Date(this.now())) }];
    let isTaken = false;
    // One after the other, because `update` takes no alternatives. At most one of them finds the row.
    for (const terms of free) isTaken ||= await this.#write({ id, ...terms }, owner);
    if (!isTaken) throw new UploadBusyError(id);
    const before = this.#held.get(id);
    const lease = new UploadLease(id, () => this.#write({ id, leaseOwner: owner }, owner), LEASE);
    this.#held.set(id, lease);
    try {
      // One of this process that has lost its lease may still be about to write.
      await before?.giveUp();
      const result = await work(lease);
      // The clocks of machines differ.
      if (!(await this.#release(id, owner))) throw new UploadBusyError(id);
      return result;
    } catch (error) {
      await this.#release(id, owner);
      throw error;
    } finally {
      lease.end();
      if (this.#held.get(id) === lease) this.#held.delete(id);
    }
  }

  /** Ends the request of this process that appends to the upload, if there is one, and waits until it writes no more. */
  async interrupt(id: string): Promise<void> {
    await this.#held.get(id)?.giveUp();
  }

  async #release(id: string, leaseOwner: string): Promise<boolean> {
    const { affected } = await this.#rows.update({ id, leaseOwner }, { leaseOwner: null, leaseUntil: null });
    return affected === 1;
  }

  async #write(where: FindOptionsWhere<FileUpload>, leaseOwner: string): Promise<boolean> {
    const now = this.now();
    const lease = {
      leaseOwner,
      leaseUntil: new Date(now + LEASE),
      expiresAt: new Date(now + this.options.expireAfter),
    };
    return (await this.#rows.update({ ...where, endedAt: IsNull() }, lease)).affected === 1;
  }

  get #rows() {
    return this.transactor.dataSource.getRepository(FileUpload);
  }
}
