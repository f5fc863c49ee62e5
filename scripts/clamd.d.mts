export interface Clamd {
  readonly host: string;
  readonly port: number;
  /** The path of its Unix socket. */
  readonly socket: string;
  stop(): Promise<void>;
}

/** A harmless text, which the clamd of the tests, and no other, takes for infected. */
export const SIGNED_TEXT: string;

/** Where clamd is installed; undefined where it is not. */
export function findClamd(): string | undefined;

/** Starts a clamd that knows one signature, that of `SIGNED_TEXT`, on a free port and a socket, with further lines for its configuration. */
export function startClamd(lines?: readonly string[]): Promise<Clamd>;
