import { Column, Entity, PrimaryColumn } from 'typeorm';
import { Authoritative } from '../../unit-of-work/typeorm/query-builders.js';

/** Bytes of a part: as text they fill the 64 KiB of a TEXT of MySQL. */
export const PART_SIZE = 48_000;

// No type for bytes is known to all of the databases.
const base64 = {
  to: (value: unknown) => (Buffer.isBuffer(value) ? value.toString('base64') : value),
  from: (value: unknown) => (typeof value === 'string' ? Buffer.from(value, 'base64') : value),
};

/** A part of an object that `databaseStorage` keeps. Every object has a part 0, also if it is empty. */
@Entity('files_bytes', { engine: 'InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC' })
@Authoritative()
export class StoredBytes {
  /** The name of the storage. */
  @PrimaryColumn({ type: 'varchar', length: 64 }) storage!: string;
  /** SHA-256 of the location in hex. */
  @PrimaryColumn({ type: 'varchar', length: 64, name: 'location_key' }) locationKey!: string;
  /** Counts from 0. */
  @PrimaryColumn({ type: 'integer' }) part!: number;
  /** Where the object is. */
  @Column({ type: 'varchar', length: 1024 }) location!: string;
  /** Bytes of the whole object. */
  @Column({ type: 'integer' }) size!: number;
  /** Epoch milliseconds; some databases answer a text. */
  @Column({ type: 'bigint', name: 'stored_at' }) storedAt!: number | string;
  /** The bytes of this part. */
  @Column({ type: 'text', transformer: base64 }) bytes!: Buffer;
}
