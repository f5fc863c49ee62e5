import type { FileClaim } from '../owner-resolution.js';

/** What becomes of a file that a field has held until now and names no more. */
export type DetachedPolicy = 'keep' | 'release' | 'delete';

/** A field of a DTO that was sent, and whose former files are not to stay with the owner. */
export interface DetachedField extends Omit<FileClaim, 'fileId'> {
  readonly detached: Exclude<DetachedPolicy, 'keep'>;
  /** The decorated field, whatever copy of the DTO it was validated on. */
  readonly rule: object;
  /** What the field names now: files, or `null`. */
  readonly sent: readonly string[] | null;
}
