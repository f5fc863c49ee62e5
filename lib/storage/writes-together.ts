import type { Readable } from 'node:stream';
import type { Bytes } from './reads-together.js';

/** Reads and checks bytes; its error refuses them. */
export type CheckBytes = (content: Bytes) => Promise<void>;

/** Writes of many objects that become durable together: the steps for this are taken once for all of them. */
export interface WritesTogether {
  /** As `write` of the adapter, but the bytes need not survive a power cut before `finish()` resolves. */
  write(location: string, content: Readable): Promise<void>;
  /**
   * Gives the file at a path of this machine a further name: the location. Its bytes are not copied, and both names can
   * be removed by themselves. They are passed to `check`; if that fails, nothing is at the location, and its error is
   * thrown. `false`, and nothing is there, where the place cannot do this, such as between two disks; then the bytes
   * are to be written.
   * - Something is at the location: throws `LocationTakenError`.
   */
  link?(path: string, location: string, check: CheckBytes): Promise<boolean>;
  /** Resolves once all that was written and linked would survive what the place promises to survive. */
  finish(): Promise<void>;
}
