import { Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';
import { BINARY_TABLE, data, id, text, uuid, when } from '../../files/columns.js';
import { Authoritative } from '../../unit-of-work/typeorm/query-builders.js';
import type { JobData } from '../job-engine.js';

/** `open`: to be run, or running. `done`: kept only for its key. `failed`: given up. */
export type QueuedJobState = 'open' | 'done' | 'failed';

/** A job that a committed unit of work has queued. A job that is done has no row, unless it has a key. */
@Entity('files_job', BINARY_TABLE)
@Authoritative()
@Unique('uq_files_job_key', ['name', 'key'])
@Index('ix_files_job_due', ['state', 'name', 'dueAt', 'id'])
export class QueuedJob {
  /** A time-ordered UUID. */
  @PrimaryColumn(id()) id!: string;
  /** The job's name, as in `@FileJob()`. */
  @Column(text(64)) name!: string;
  /** No other job of the name has this key. */
  @Column(text(191, { name: 'job_key', nullable: true })) key!: string | null;
  /** The payload for the handler, and the trace to which the runs are linked. */
  @Column(data()) data!: JobData;
  /** Whether the job is open, done or failed. */
  @Column(text(16)) state!: QueuedJobState;
  /** The number of attempts that count so far. */
  @Column({ type: 'integer' }) attempts!: number;
  /**
   * For an open job, when it may be taken; while it runs, this is the end of its lease. For other jobs, when they
   * ended.
   */
  @Column(when({ name: 'due_at' })) dueAt!: Date;
  /** The id of its lease, new for each lease; null without one. */
  @Column(uuid({ name: 'lease_owner', nullable: true })) leaseOwner!: string | null;
  /** The error of its last failed run, as a string. */
  @Column(text(1024, { name: 'last_error', nullable: true })) lastError!: string | null;
  /** When it was queued. */
  @Column(when({ name: 'created_at' })) createdAt!: Date;
}
