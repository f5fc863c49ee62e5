import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';

/** The note that bytes are about to be at a location. */
export interface Intent {
  /**
   * Lets the file's row answer for the bytes from now on; called in the transaction that writes it. Throws `IntentLostError` when the
   * bytes have been given up meanwhile.
   */
  settle(unit: UnitOfWork): Promise<void>;
  /** There are no bytes, or none any more. */
  withdraw(): Promise<void>;
}
