import { Column, Entity, PrimaryColumn } from 'typeorm';
import { Authoritative } from '../../unit-of-work/typeorm/query-builders.js';
import { BINARY_TABLE, text, uuid, when } from '../columns.js';

/**
 * The mark by which the database recognises a storage. Storages that cannot be mistaken for another place, such as that
 * in the database, have none.
 */
@Entity('files_storage', BINARY_TABLE)
@Authoritative()
export class StorageMark {
  /** The name of the storage. */
  @PrimaryColumn({ ...text(64), nullable: false }) storage!: string;
  /** The id in its mark. */
  @Column(uuid()) mark!: string;
  /** When it was marked, or adopted. */
  @Column(when({ name: 'marked_at' })) markedAt!: Date;
}
