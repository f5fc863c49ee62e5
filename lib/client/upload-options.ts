import type { PublicFile } from '../files/public-file.js';

/** A file as the server answers it: dates are texts. */
export interface UploadedFile extends Omit<PublicFile, 'createdAt' | 'expiresAt'> {
  /** When its first content was stored, in ISO 8601. */
  createdAt: string;
  /** When it is deleted unless it is attached before, in ISO 8601; null for a file that stays. */
  expiresAt: string | null;
}

/** How the bytes get to the server: in a form, or in parts to the storage. */
export type UploadWay = 'plain' | 'direct';

/** Where unfinished uploads are noted: `localStorage`, or anything like it. */
export interface KeyStore {
  /** The note; null for none. */
  getItem(key: string): string | null;
  /** Makes the note, or replaces it. */
  setItem(key: string, value: string): void;
  /** Removes the note, if there is one. */
  removeItem(key: string): void;
}

/** How a file is uploaded. */
export interface UploadOptions {
  /** The address of the library's routes. @default '/files' */
  endpoint?: string;
  /** The name of the storage. @default the server's */
  storage?: string;
  /** The name of the file. @default that of the `File` */
  name?: string;
  /** Called with the bytes that were sent, and with all. On Node.js only between the parts of a direct upload, and at the end. */
  onProgress?: (sent: number, total: number) => void;
  /** Ends the upload: the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Goes on with an upload of the same file that was interrupted, also when the page was loaded again. `true` notes it in `localStorage`. Only
   * direct uploads can go on. @default false
   */
  resume?: boolean | KeyStore;
  /** Headers of the requests to the application, such as `authorization`. A function is called for each request. */
  headers?: Record<string, string> | (() => Record<string, string>);
  /** Whether requests to another origin send cookies. @default false */
  withCredentials?: boolean;
  /** How often a request is repeated after a failure that certainly has changed nothing. @default 5 */
  retries?: number;
  /** The way, if the client is not to choose it. @default `'direct'` above 5 MiB where the server offers it, otherwise `'plain'` */
  way?: UploadWay;
  /**
   * Has the server check that the bytes have arrived as they were. The whole file is read into memory for it, and browsers can do it only on
   * HTTPS and on localhost. @default false
   */
  digest?: boolean;
}
