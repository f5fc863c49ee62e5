import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BINARY_TABLE, id, text, uuid, when } from '../columns.js';
import { Authoritative } from '../../unit-of-work/typeorm/query-builders.js';

/** The interrupted operation. The sweeper removes the bytes of both kinds, unless a file refers to them. */
export type IntentKind = 'create' | 'delete';

/**
 * Bytes without a file's row: about to be written, or about to be removed. The intent exists from before the first byte
 * until after the last one is removed, so that the sweeper can finish the work of a crash.
 */
@Entity('files_intent', BINARY_TABLE)
@Authoritative()
@Index('ix_files_intent_location', ['storage', 'locationKey'])
@Index('ix_files_intent_due', ['createdAt'])
export class FileIntent {
  /** A time-ordered UUID. */
  @PrimaryColumn(id()) id!: string;
  /** The name of the storage. */
  @Column(text(64)) storage!: string;
  /** Where the bytes are, or will be. */
  @Column(text(1024)) location!: string;
  /** SHA-256 of the location in hex. */
  @Column(text(64, { name: 'location_key' })) locationKey!: string;
  /** Whether the bytes were to be written or to be removed. */
  @Column(text(16)) kind!: IntentKind;
  /** The grace period counts from here. */
  @Column(when({ name: 'created_at' })) createdAt!: Date;
  /** Fresh for every lease; once it is set, the bytes can no longer become a file's. */
  @Column(uuid({ name: 'lease_owner', nullable: true })) leaseOwner!: string | null;
  /** When another machine may lease it. */
  @Column(when({ name: 'lease_until', nullable: true })) leaseUntil!: Date | null;
}
