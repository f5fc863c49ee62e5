import { attempt } from './attempts.js';
import { send } from './send.js';
import type { UploadOptions } from './upload-options.js';

/** What the current user may do with a storage. */
export interface StorageCapabilities {
  /** Its name. */
  name: string;
  /** The largest file in bytes; null for no limit. */
  maxSize: number | null;
  /** Patterns of content types, such as `image` or `application/pdf`; null for every type. */
  acceptedTypes: string[] | null;
  /** Whether clients may send bytes to it themselves. */
  direct: boolean;
  /** Whether it takes uploads by tus. */
  resumable: boolean;
}

/** What the server offers to the current user. */
export interface Capabilities {
  /** The storages that the user may upload to. */
  storages: StorageCapabilities[];
  /** The name of the storage that is used when none is named. */
  defaultStorage: string;
  /** The address of uploads by tus, relative to that of the routes; null if there are none. */
  tus: string | null;
}

/** Asks the server what the current user may upload: `(await readCapabilities()).storages`. */
export function readCapabilities(
  options: Pick<UploadOptions, 'endpoint' | 'headers' | 'withCredentials' | 'signal'> = {},
): Promise<Capabilities> {
  return attempt(options, () => send<Capabilities>(options, 'GET', '/capabilities'));
}
