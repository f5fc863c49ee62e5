import type { FileState, ShelfState } from './ledger.js';
import type { Random } from './random.js';

/** What requests are made from. */
export interface ClientView {
  readonly random: Random;
  readonly user: string;
  /** A name that nothing else has. */
  readonly nextName: (ending: string) => string;
  /** One of the client's files, if it has any of which it is certain. */
  readonly file: () => [string, FileState] | undefined;
  readonly shelf: () => [string, ShelfState] | undefined;
  readonly stateOf: (fileId: string) => FileState | undefined;
  readonly filesOf: (owner: string) => string[];
}
