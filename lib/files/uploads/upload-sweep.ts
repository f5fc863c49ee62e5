import { Inject, Injectable, Optional } from '@nestjs/common';
import { IsNull, Not } from 'typeorm';
import { Transactor } from '../../unit-of-work/transactor.js';
import { FILES_CLOCK } from '../clock.js';
import type { Clock } from '../clock.js';
import type { RemovedBytes } from '../content/remove-unreferred.js';
import { FileUpload } from './file-upload.entity.js';
import { UploadEndings } from './upload-endings.js';

// The clock of the storage differs, and may have whole seconds only.
const CLOCKS_DIFFER_BY = 3_600_000;

/** The part of a sweep that looks after uploads which clients send to the storage themselves. */
@Injectable()
export class UploadSweep {
  constructor(
    private readonly transactor: Transactor,
    private readonly endings: UploadEndings,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {}

  /**
   * Expired uploads: open ones, and ended ones that expired long enough ago that none of their bytes can still arrive.
   */
  async *due(settledBefore: Date, batch: number): AsyncGenerator<FileUpload, void> {
    const now = new Date(this.now());
    for (let after: FileUpload | undefined; ;) {
      const query = this.#rows
        .createQueryBuilder('upload')
        .where('upload.expiresAt <= :now', { now: now.getTime() })
        .andWhere('(upload.endedAt IS NULL OR upload.expiresAt <= :settled)', { settled: settledBefore.getTime() });
      if (after) {
        const last = { at: after.expiresAt.getTime(), id: after.id };
        query.andWhere('(upload.expiresAt > :at OR (upload.expiresAt = :at AND upload.id > :id))', last);
      }
      const rows = await query.orderBy('upload.expiresAt').addOrderBy('upload.id').limit(batch).getMany();
      yield* rows;
      after = rows.at(-1);
      if (!after || rows.length < batch) return;
    }
  }

  /**
   * Gives an open upload up, and removes its bytes. The row is removed once no more bytes can arrive. `undefined` if
   * another call has ended the upload meanwhile.
   */
  async sweep(row: FileUpload, settledBefore: Date): Promise<RemovedBytes | undefined> {
    if (row.endedAt === null && !(await this.endings.expire(row))) return undefined;
    const removed = await this.endings.clear(row);
    if (row.expiresAt <= settledBefore) await this.#rows.delete({ id: row.id, endedAt: Not(IsNull()) });
    return removed;
  }

  /** Unfinished uploads in the storage from before this time belong to no open upload. */
  async unknownBefore(storage: string, then: Date): Promise<Date> {
    const [oldest] = await this.#rows.find({
      where: { storage, endedAt: IsNull() },
      order: { createdAt: 'ASC' },
      take: 1,
    });
    return new Date(Math.min(then.getTime(), oldest ? oldest.createdAt.getTime() - CLOCKS_DIFFER_BY : Infinity));
  }

  get #rows() {
    return this.transactor.dataSource.getRepository(FileUpload);
  }
}
