import type { UnitOfWork } from '../../unit-of-work/unit-of-work.js';
import type { FileIntent } from './file-intent.entity.js';

/** The note that bytes are about to be at a location. */
export interface Intent {
  /** Its row; a note that lies beside the bytes has none. */
  readonly row?: Readonly<Pick<FileIntent, 'id' | 'storage' | 'location'>>;
  /**
   * Ends the intent, because the file's row refers to the bytes from now on; called in the transaction that writes the
   * row. Throws `IntentLostError` when the bytes have been given up meanwhile.
   */
  settle(unit: UnitOfWork): Promise<void>;
  /** The bytes do not exist, or no longer. */
  withdraw(): Promise<void>;
}
