export interface PrivatePostgres {
  readonly url: string;
  /** Throws out who is connected, stops, and starts again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A PostgreSQL server of one's own, from installed binaries, on a free port and in a temporary directory. Throws with the reason if it cannot be. */
export function startPrivatePostgres(): Promise<PrivatePostgres>;
