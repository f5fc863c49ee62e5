import { FileMetadataInvalidError } from '../errors/files.errors.js';
import { findJsonFault, hasNoClass } from '../task-queue/json-value.js';
import type { FileMetadata } from './file-metadata.js';

/** The `metadata` of a file: `FileMetadata`, or any object of JSON where the application declares nothing. */
export type MetadataValue = [keyof FileMetadata] extends [never] ? Record<string, unknown> : FileMetadata;

const MAX_BYTES = 65_536;

/**
 * Throws `FileMetadataInvalidError` unless the value is a plain object that JSON does not change, of at most 64 KiB.
 */
export function assertMetadata(metadata: unknown): asserts metadata is MetadataValue | null {
  if (metadata === null) return;
  if (typeof metadata !== 'object' || Array.isArray(metadata) || !hasNoClass(metadata))
    throw new FileMetadataInvalidError('metadata', 'is not a plain object', 'Give one, or null');
  const fault = findJsonFault(metadata, 'metadata');
  if (fault) throw new FileMetadataInvalidError(fault.place, fault.what, fault.remedy);
  const size = Buffer.byteLength(JSON.stringify(metadata));
  if (size <= MAX_BYTES) return;
  const remedy = `Keep the rest in a record of the application. Metadata has at most ${MAX_BYTES} bytes of JSON`;
  throw new FileMetadataInvalidError('metadata', `has ${size} bytes of JSON`, remedy);
}
