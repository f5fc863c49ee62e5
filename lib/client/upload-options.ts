import type { PublicFile } from '../files/public-file.js';

/** A file as the server answers it: dates are texts. */
export interface UploadedFile extends Omit<PublicFile, 'createdAt' | 'expiresAt'> {
  /** When its first content was stored, in ISO 8601. */
  createdAt: string;
  /** When it is deleted unless it is attached before, in ISO 8601; null for a file that stays. */
  expiresAt: string | null;
}

/** How the bytes get to the server: in a form, in parts to the storage, or by tus. */
export type UploadWay = 'plain' | 'direct' | 'tus';

/** Where unfinished uploads are noted: `localStorage`, or anything like it. */
export interface KeyStore {
  /** The note; null for none. */
  getItem(key: string): string | null;
  /** Makes the note, or replaces it. */
  setItem(key: string, value: string): void;
  /** Removes the note, if there is one. */
  removeItem(key: string): void;
}

/** An answer, as `tus-js-client` shows it. */
export interface TusResponse {
  /** The HTTP status. */
  getStatus(): number;
  /** The body as a text. */
  getBody(): string;
}

/** What is used of `tus-js-client`. */
export interface TusLibrary {
  /** Its class. */
  Upload: {
    /** An upload that has not begun yet. */
    new (file: File, options: TusOptions): TusUpload;
  };
}

interface TusUpload {
  readonly url: string | null;
  start(): void;
  abort(shouldTerminate?: boolean): Promise<void>;
}

/** What `tus-js-client` tells of a failure. */
export interface TusFailure {
  /** What the request itself, or a callback, has failed with. */
  causingError?: Error | null;
  /** The answer, if there was one. */
  originalResponse?: TusResponse | null;
}

interface TusOptions {
  endpoint: string;
  uploadUrl: string | null;
  metadata: Record<string, string>;
  retryDelays: number[];
  storeFingerprintForResuming: boolean;
  onShouldRetry: (error: TusFailure) => boolean;
  onBeforeRequest: (request: { setHeader(name: string, value: string): void; getUnderlyingObject(): unknown }) => void;
  onAfterResponse: (request: { getMethod(): string }, answer: TusResponse) => void;
  onUploadUrlAvailable: () => void;
  onProgress: (sent: number, total: number) => void;
  onSuccess: () => void;
  onError: (error: Error & TusFailure) => void;
}

/** How a file is uploaded. */
export interface UploadOptions {
  /** The address of the library's routes. @default '/files' */
  endpoint?: string;
  /** The name of the storage. @default the server's */
  storage?: string;
  /** The name of the file. @default that of the `File` */
  name?: string;
  /**
   * Called with the bytes that were sent, and with all. On Node.js only between the parts of a direct upload, and at
   * the end.
   */
  onProgress?: (sent: number, total: number) => void;
  /** Ends the upload: the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Goes on with an upload of the same file that was interrupted, also when the page was loaded again. `true` notes it
   * in `localStorage`. Only uploads by tus and to the storage can go on. @default false
   */
  resume?: boolean | KeyStore;
  /** Headers of the requests to the application, such as `authorization`. A function is called for each request. */
  headers?: Record<string, string> | (() => Record<string, string>);
  /** Whether requests to another origin send cookies. @default false */
  withCredentials?: boolean;
  /** How often a request is repeated after a failure that certainly has changed nothing. @default 5 */
  retries?: number;
  /**
   * The library for resumable uploads, `tus-js-client`, or a function that loads it: `() => import('tus-js-client')`.
   * Browsers only. @default none, and large files that cannot go to the storage are sent in forms
   */
  tus?: TusLibrary | (() => Promise<TusLibrary>);
  /**
   * The way, if the client is not to choose it. @default above 5 MiB `'direct'` or `'tus'`, where the server offers it;
   * otherwise `'plain'`
   */
  way?: UploadWay;
  /**
   * Has the server check that the bytes have arrived as they were. The whole file is read into memory for it, and
   * browsers can do it only on HTTPS and on localhost. @default false
   */
  digest?: boolean;
}
