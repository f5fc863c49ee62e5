/**
 * The parts of a storage. The storages themselves are at `nestjs-files/storage/fs` and its neighbours.
 * @module nestjs-files/storage
 */

export type { CacheControl, CachedFile, DownloadWay } from '../storage/delivery.js';
export { cutToRange } from '../storage/cut-to-range.js';
export type {
  DirectUpload,
  DirectUploadAdapter,
  PartToSign,
  SignedRequest,
  UploadedPart,
} from '../storage/direct-upload-adapter.js';
export { InjectStorage, getStorageToken } from '../storage/inject-storage.js';
export { assertLocation } from '../storage/location.js';
export { dateLocation, extensionLocation, shardedLocation, uuidLocation } from '../storage/location-transformer.js';
export type { LocationInput, LocationTransformer } from '../storage/location-transformer.js';
export type { MarkPlace } from '../storage/mark-place.js';
export type { Bytes, ReadsTogether } from '../storage/reads-together.js';
export type { JoinedObject, ResumableUploadAdapter } from '../storage/resumable-upload-adapter.js';
export type {
  ByteRange,
  Leftovers,
  LocatedObject,
  StorageAdapter,
  StorageContext,
  StoredObject,
  TemporaryUrlRequest,
} from '../storage/storage-adapter.js';
export type { StorageLimits } from '../storage/storage-limits.js';
export { StorageRegistry } from '../storage/storage-registry.js';
export type { StorageVerb } from '../storage/storage-verbs.js';
export { Storage } from '../storage/storage.js';
export type { CheckBytes, WritesTogether } from '../storage/writes-together.js';
