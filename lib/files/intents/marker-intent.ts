import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Storage } from '../../storage/storage.js';
import type { Intent } from './intent.js';
import { uuidV7 } from '../file-id.js';

/** Where the markers of a storage are. */
export const MARKERS = '.nestjs-files/intents';

/**
 * An intent that lies beside the bytes, in their storage: on SQLite and PGlite the caller has the one connection while
 * a unit of work is open, so that no row can be committed beside it.
 */
export async function leaveMarker(storage: Storage, location: string): Promise<Intent> {
  // Also list and read, so that the sweeper can find and read it.
  storage.require('write', 'read', 'remove', 'list');
  const marker = `${MARKERS}/${uuidV7()}`;
  await storage.write(marker, Readable.from([Buffer.from(location)], { objectMode: false }));
  const withdraw = () => storage.remove(marker);
  return {
    settle: async (unit) => unit.afterCommit(withdraw),
    withdraw,
  };
}

/** The location that a marker names. */
export async function readMarker(storage: Storage, marker: string): Promise<string> {
  return text(await storage.read(marker));
}
