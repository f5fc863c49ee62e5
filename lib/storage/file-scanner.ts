import type { Readable } from 'node:stream';

/**
 * What a scanner has found. Anything else than `clean: true` or `clean: false` with the name of what was found is no
 * verdict.
 */
export type ScanVerdict =
  | {
      /** Nothing was found in all of the content. */
      readonly clean: true;
    }
  | {
      /** Something was found. */
      readonly clean: false;
      /** What was found, such as `Eicar-Test-Signature`. */
      readonly finding: string;
    };

/** What a scanner is told besides the content. */
export interface ScanContext {
  /** Bytes. */
  readonly size: number;
  /** The content type that was read from the bytes. */
  readonly contentType: string;
  /** Aborted when the scan has to end: at its timeout, and at a shutdown. */
  readonly signal: AbortSignal;
}

/** Examines content before anybody may have it, such as a virus scanner. */
export interface FileScanner {
  /**
   * Up to 64 characters: `clamav`. A copy has the verdict of its original where both have a scanner of the same name.
   */
  readonly name: string;
  /**
   * The largest content that the engine examines as a whole, in bytes. Larger files are not scanned, and never clean.
   * @default no limit
   */
  readonly maxSize?: number | undefined;
  /**
   * Reads all of the content and gives its verdict; a verdict before its end does not count as clean. Throws where
   * there is none: the scan is tried again later.
   */
  scan(content: Readable, context: ScanContext): Promise<ScanVerdict>;
  /**
   * Throws unless the engine answers; ends when the signal is aborted. For health checks. @default it cannot be asked
   */
  ping?(signal: AbortSignal): Promise<void>;
}
