import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BINARY_TABLE, flag, id, text, uuid, when } from '../files/columns.js';
import type { OwnershipChange } from '../files/ownership-port.js';
import type { TransferAction } from '../files/ownership-port.js';
import { Authoritative } from '../unit-of-work/typeorm/query-builders.js';

/** One line of a file's history. It has no foreign key, because the history outlives the file. */
@Entity('files_transfer', BINARY_TABLE)
@Authoritative()
@Index('ix_files_transfer_file', ['fileId', 'at', 'id'])
export class FileTransfer implements OwnershipChange {
  @PrimaryColumn(id()) id!: string;
  @Column(uuid({ name: 'file_id' })) fileId!: string;
  @Column(text(32)) action!: TransferAction;
  /** The owner before; null for none. */
  @Column(text(64, { name: 'from_type', nullable: true })) fromType!: string | null;
  @Column(text(191, { name: 'from_id', nullable: true })) fromId!: string | null;
  /** The owner after; null for none. */
  @Column(text(64, { name: 'to_type', nullable: true })) toType!: string | null;
  @Column(text(191, { name: 'to_id', nullable: true })) toId!: string | null;
  /** Who did it; null for anonymous. */
  @Column(text(64, { name: 'actor_type', nullable: true })) actorType!: string | null;
  @Column(text(191, { name: 'actor_id', nullable: true })) actorId!: string | null;
  /** Whether a pin was overridden. */
  @Column(flag()) forced!: boolean;
  /** Rises with each row of one file, independently of the writers' clocks. */
  @Column(when()) at!: Date;
}
