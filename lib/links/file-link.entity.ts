import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BINARY_TABLE, id, uuid, when } from '../files/columns.js';
import { Authoritative } from '../unit-of-work/typeorm/query-builders.js';

/** An unused one-time link. Its token cannot be made from the row. */
@Entity('files_link', BINARY_TABLE)
@Authoritative()
@Index('ix_files_link_expires', ['expiresAt'])
export class FileLink {
  /** Is part of the token. */
  @PrimaryColumn(id()) id!: string;
  /** The file that the link opens. */
  @Column(uuid({ name: 'file_id' })) fileId!: string;
  /** When the row may be removed, used or not. */
  @Column(when({ name: 'expires_at' })) expiresAt!: Date;
}
