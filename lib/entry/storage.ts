/**
 * What a storage is made of; the storages themselves are at `nestjs-files/storage/fs` and its neighbours.
 * @module nestjs-files/storage
 */

export { Capability } from '../storage/capability.js';
export { InjectStorage, getStorageToken } from '../storage/inject-storage.js';
export { dateLocation, extensionLocation, shardedLocation, uuidLocation } from '../storage/location-transformer.js';
export type { LocationInput, LocationTransformer } from '../storage/location-transformer.js';
export type { MarkPlace } from '../storage/mark-place.js';
export type { StorageLimits } from '../storage/storage-limits.js';
export { StorageRegistry } from '../storage/storage-registry.js';
export { Storage } from '../storage/storage.js';
export type { ByteRange, Leftovers, LocatedObject, StorageContext, StoredObject } from '../storage/storage.js';
export type { TemporaryLinkRequest, TemporaryLinkStorage } from '../storage/temporary-link.js';
