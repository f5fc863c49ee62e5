import { createHash } from 'node:crypto';

/** A location's key in the unique index: its SHA-256 in hex. */
export function locationKey(location: string): string {
  return createHash('sha256').update(location).digest('hex');
}
