import { createHash } from 'node:crypto';

/** What stands for a location in the unique index: its SHA-256 in hex. */
export function locationKey(location: string): string {
  return createHash('sha256').update(location).digest('hex');
}
