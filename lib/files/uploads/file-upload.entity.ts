import { Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';
import { Authoritative } from '../../unit-of-work/typeorm/query-builders.js';
import { BINARY_TABLE, id, int8, text, when } from '../columns.js';

/**
 * An upload that a client sends to the storage itself. The row exists from before the storage is asked until no signed request can arrive any
 * more, so that the remains of a crash are found. As long as it is there, no other upload has the location.
 */
@Entity('files_upload', BINARY_TABLE)
@Authoritative()
@Unique('uq_files_upload_location', ['storage', 'locationKey'])
@Index('ix_files_upload_due', ['expiresAt', 'id'])
@Index('ix_files_upload_owner', ['ownerType', 'ownerId'])
export class FileUpload {
  /** A time-ordered UUID; the file will have it, too. */
  @PrimaryColumn(id()) id!: string;
  /** As the file will be called. */
  @Column(text(255)) name!: string;
  /** The name of the storage. */
  @Column(text(64)) storage!: string;
  /** Where the bytes will be. */
  @Column(text(1024)) location!: string;
  /** SHA-256 of the location in hex. */
  @Column(text(64, { name: 'location_key' })) locationKey!: string;
  /** Bytes, as the client announced. */
  @Column(int8()) size!: number;
  /** The content type that the client claims. */
  @Column(text(255, { name: 'content_type', nullable: true })) contentType!: string | null;
  /** The hash of the content that the client announced: `sha256:9f86d0…`. */
  @Column(text(191, { nullable: true })) checksum!: string | null;
  /** The storage's id of the upload; null until it has begun. */
  @Column(text(1024, { nullable: true })) handle!: string | null;
  /** Bytes of each part but the last one; null until it has begun. */
  @Column(int8({ name: 'part_size', nullable: true })) partSize!: number | null;
  /** The future owner of the file; null for none. */
  @Column(text(64, { name: 'owner_type', nullable: true })) ownerType!: string | null;
  /** The owner's id. */
  @Column(text(191, { name: 'owner_id', nullable: true })) ownerId!: string | null;
  /** Who began it; null for anonymous. */
  @Column(text(64, { name: 'actor_type', nullable: true })) actorType!: string | null;
  /** The id of who began it. */
  @Column(text(191, { name: 'actor_id', nullable: true })) actorId!: string | null;
  /** When it was begun. */
  @Column(when({ name: 'created_at' })) createdAt!: Date;
  /** It ends then. */
  @Column(when({ name: 'expires_at' })) expiresAt!: Date;
  /** When it became a file, or was given up; null while it is open. */
  @Column(when({ name: 'ended_at', nullable: true })) endedAt!: Date | null;
}
