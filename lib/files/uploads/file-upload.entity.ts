import { Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';
import { Authoritative } from '../../unit-of-work/typeorm/query-builders.js';
import { BINARY_TABLE, id, int8, text, uuid, when } from '../columns.js';

/**
 * The kind of an upload. `direct`: the client sends it to the storage itself. The others are resumable, and come
 * through the application: `single` becomes a file, `partial` becomes a part of a `final` one.
 */
export type UploadKind = 'direct' | 'single' | 'partial' | 'final';

/**
 * An upload that takes more than one request. The row exists from before the storage is asked until no bytes can arrive
 * any more, so that the remains of a crash are found. As long as it is there, no other upload has the location.
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
  /** Bytes that count for the owner: as the client announced, or as came where it has not announced them. */
  @Column(int8()) size!: number;
  /** The content type that the client declares. */
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
  /** Null is `direct`, as in the rows of the first release. */
  @Column(text(16, { nullable: true })) kind!: UploadKind | null;
  /** Bytes of a resumable upload; null until the client has announced them, and for direct uploads. */
  @Column(int8({ name: 'upload_length', nullable: true })) length!: number | null;
  /** The metadata of a resumable upload, as the client sent it. */
  @Column({ type: 'text', name: 'upload_metadata', nullable: true }) metadata!: string | null;
  /** The ids of the uploads of which a final one consists, in their order, with blanks between them. */
  @Column({ type: 'text', nullable: true }) parts!: string | null;
  /** The request that appends bytes. */
  @Column(uuid({ name: 'lease_owner', nullable: true })) leaseOwner!: string | null;
  /** Another request may append from then on. */
  @Column(when({ name: 'lease_until', nullable: true })) leaseUntil!: Date | null;
}
