import { Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';
import { BINARY_TABLE, data, id, text, uuid, when } from '../../files/columns.js';
import { Authoritative } from '../../unit-of-work/typeorm/query-builders.js';
import type { JobData } from '../job-engine.js';

/** `open`: to be run, or running. `done`: kept for its key alone. `failed`: given up. */
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
  /** There is one job of a name with this key. */
  @Column(text(191, { name: 'job_key', nullable: true })) key!: string | null;
  /** What the handler gets, and what traces link its runs with. */
  @Column(data()) data!: JobData;
  /** Whether the job is open, done or failed. */
  @Column(text(16)) state!: QueuedJobState;
  /** How often it was taken. */
  @Column({ type: 'integer' }) attempts!: number;
  /** For an open job: when it may be taken; while it runs, the end of its lease. For the others: when it ended. */
  @Column(when({ name: 'due_at' })) dueAt!: Date;
  /** Fresh each time it is taken; null while nobody has it. */
  @Column(uuid({ name: 'lease_owner', nullable: true })) leaseOwner!: string | null;
  /** What its last run threw. */
  @Column(text(1024, { name: 'last_error', nullable: true })) lastError!: string | null;
  /** When it was queued. */
  @Column(when({ name: 'created_at' })) createdAt!: Date;
}
