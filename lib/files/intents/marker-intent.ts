import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Storage } from '../../storage/storage.js';
import type { Intent } from './intent.js';
import { uuidV7 } from '../file-id.js';

/** The directory of the markers in a storage. */
export const MARKERS = '.nestjs-files/intents';

/**
 * Writes a marker, an intent in the storage of the bytes. On SQLite and PGlite, the caller's open transaction has the
 * only connection, so no row can be committed outside of it.
 */
export async function leaveMarker(storage: Storage, location: string): Promise<Intent> {
  // The sweeper needs `list` and `read` to find and read the marker.
  storage.require('write', 'read', 'remove', 'list');
  const marker = `${MARKERS}/${uuidV7()}`;
  await storage.write(marker, Readable.from([Buffer.from(location)], { objectMode: false }));
  const withdraw = () => storage.remove(marker);
  return {
    settle: async (unit) => unit.afterCommit(withdraw),
    withdraw,
  };
}

/** The location that a marker contains. */
export async function readMarker(storage: Storage, marker: string): Promise<string> {
  return text(await storage.read(marker));
}
