import { Exclude, Transform } from 'class-transformer';
import { Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';
import { BINARY_TABLE, data, flag, id, int8, text, when } from './columns.js';
import type { MetadataValue } from './metadata-value.js';
import { toPublicFile } from './public-file.js';
import type { PublicFile, ScanState } from './public-file.js';
import { Authoritative } from '../unit-of-work/typeorm/query-builders.js';

// Nest's ClassSerializerInterceptor does not ask `toJSON()`.
const Private = () => Exclude({ toPlainOnly: true });

const ShownIfSet = () => Transform(({ value }: { value: unknown }) => value ?? undefined, { toPlainOnly: true });

/**
 * A managed file: its bytes are at `location` in `storage`; at most one owner. Its JSON leaves out where its bytes are.
 */
@Entity('files_file', BINARY_TABLE)
@Authoritative()
@Unique('uq_files_file_location', ['storage', 'locationKey'])
@Index('ix_files_file_owner', ['ownerType', 'ownerId', 'id'])
@Index('ix_files_file_expiry', ['storage', 'expiresAt', 'id'])
export class ManagedFile {
  /** A time-ordered UUID, in lower case. */
  @PrimaryColumn(id()) id!: string;
  /** As the client gave it, in any script, without control characters and separators. */
  @Column(text(255)) name!: string;
  /** The name of the storage that has the bytes. */
  @Column(text(64)) storage!: string;
  /** Where the bytes are in their storage; never told to clients. */
  @Private() @Column(text(1024)) location!: string;
  /** SHA-256 of the location in hex: databases limit the size of a value in a unique index. */
  @Private() @Column(text(64, { name: 'location_key' })) locationKey!: string;
  /** The content type that was read from the bytes. */
  @Column(text(255, { name: 'content_type' })) contentType!: string;
  /** The charset of a text, such as `utf-8`, if it was found; null for all other files. */
  @Private() @Column(text(32, { nullable: true })) charset!: string | null;
  /** Bytes. */
  @Column(int8()) size!: number;
  /** The hash of the content, in hex. */
  @Column(text(128)) hash!: string;
  /** An algorithm of `node:crypto`. */
  @Column(text(32, { name: 'hash_algorithm' })) hashAlgorithm!: string;
  /** When its first content was stored. */
  @Column(when({ name: 'created_at' })) createdAt!: Date;
  /** When it got its present content, if that is not its first; in another second than the content before. */
  @Private() @Column(when({ name: 'replaced_at', nullable: true })) replacedAt!: Date | null;
  /** Null for none; then so is `ownerId`. */
  @Column(text(64, { name: 'owner_type', nullable: true })) ownerType!: string | null;
  /** The owner's id, as text. */
  @Column(text(191, { name: 'owner_id', nullable: true })) ownerId!: string | null;
  /** The owner's field that holds this file's id, where that is known. */
  @Column(text(128, { name: 'owner_field', nullable: true })) ownerField!: string | null;
  /** Protected from transfer, deletion and replacement until unpinned or forced. */
  @Column(flag()) pinned!: boolean;
  /** When it is deleted unless somebody attaches it before; null for a file that stays. */
  @Column(when({ name: 'expires_at', nullable: true })) expiresAt!: Date | null;
  /** Whether the content may be had, where the storage has a scanner; null where it has none. */
  @ShownIfSet() @Column(text(16, { nullable: true })) scan!: ScanState | null;
  /** The name of the scanner that examines the content. */
  @Private() @Column(text(64, { nullable: true })) scanner!: string | null;
  /** What was found in infected content; why a scan failed. */
  @Private() @Column(text(255, { nullable: true })) finding!: string | null;
  /** The notes of the storage adapter about the bytes. */
  @Private() @Column(data({ name: 'storage_data', nullable: true })) storageData!: Record<string, unknown> | null;
  /** Free for the application, which writes it by `FilesService.update()`; not shown to clients. */
  @Private() @Column(data({ name: 'plugin_data', nullable: true })) metadata!: MetadataValue | null;

  /** The fields that clients may see. */
  toJSON(): PublicFile {
    return toPublicFile(this);
  }
}
