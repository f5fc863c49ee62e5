import { Column, Entity, PrimaryColumn } from 'typeorm';
import { BINARY_TABLE, int8, text } from '../../files/columns.js';
import { Authoritative } from '../../unit-of-work/typeorm/query-builders.js';

/**
 * The usage of one owner. Owners without a quota have no row. Concurrent changes of one owner wait for the lock of its
 * row.
 */
@Entity('files_usage', BINARY_TABLE)
@Authoritative()
export class FileUsage {
  /** The owner's type. */
  @PrimaryColumn({ ...text(64, { name: 'owner_type' }), nullable: false }) ownerType!: string;
  /** The owner's id. */
  @PrimaryColumn({ ...text(191, { name: 'owner_id' }), nullable: false }) ownerId!: string;
  /** Of all its files. */
  @Column(int8()) bytes!: number;
  /** How many files. */
  @Column(int8({ name: 'file_count' })) count!: number;
}
