import type { Readable } from 'node:stream';

/** All bytes of an object: in memory where they are few, a stream otherwise. */
export type Bytes = Readable | readonly Uint8Array[];

/**
 * Reads of many objects, for one call. What they share, such as a directory, is looked up once, and may change
 * afterwards.
 */
export interface ReadsTogether {
  /** As `read` of the adapter, of all bytes. */
  read(location: string): Promise<Bytes>;
  /** As `pathOf` of the adapter. @default that of the adapter */
  pathOf?(location: string): Promise<string | undefined>;
}
