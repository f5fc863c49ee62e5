import type { Change, Novelty } from './ledger.js';
import type { Answer, Message } from './wire.js';

/** A request, and what it is to come to. */
export interface SoakRequest {
  readonly kind: string;
  readonly message: Message;
  /** What was there and is changed. Records and files that may be touched are in it, changed or not. */
  readonly change?: Change;
  readonly novelty?: Novelty;
  /** What an answer of success tells besides: the ids of what is new. */
  readonly learn?: (body: { id: string; coverId?: string | null; scanId?: string | null }) => Change;
  /** Why the answer is wrong, if it is. */
  readonly check?: (answer: Answer) => string | undefined;
}
