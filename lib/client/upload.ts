import { readCapabilities } from './capabilities.js';
import type { Capabilities } from './capabilities.js';
import { uploadDirect } from './direct.js';
import { uploadPlain } from './plain.js';
import { isGone } from './upload-error.js';
import type { UploadedFile, UploadOptions } from './upload-options.js';

/** Smaller files take a single request. */
const SMALL = 5 * 1024 * 1024;

/**
 * Uploads a file: `const { id } = await upload(input.files[0], { onProgress })`. Large files go to the storage in
 * parts, or by tus, where the server offers it. Requests are repeated where that cannot make a second file. Throws
 * `UploadError` with the code and the message of the server.
 */
export async function upload(file: Blob, options: UploadOptions = {}): Promise<UploadedFile> {
  const name = options.name ?? (file as { name?: string }).name ?? 'file';
  const offer = needsOffer(file, options) ? await readCapabilities(options).catch(unlessMissing) : undefined;
  const way = options.way ?? wayOf(offer, options);
  if (way === 'direct') return uploadDirect(file, name, options);
  if (way === 'plain') return uploadPlain(file, name, options);
  // Only pages that use tus load it.
  const { uploadTus } = await import('./tus.js');
  return uploadTus(file, name, offer?.tus ?? 'tus', options);
}

function needsOffer({ size }: Blob, { way }: UploadOptions): boolean {
  return way === undefined ? size > SMALL : way === 'tus';
}

function wayOf(offer: Capabilities | undefined, { storage, tus }: UploadOptions): 'plain' | 'direct' | 'tus' {
  const offered = offer?.storages.find(({ name }) => name === (storage ?? offer.defaultStorage));
  if (offered?.direct) return 'direct';
  return offered?.resumable && tus ? 'tus' : 'plain';
}

/** The application may leave the route out. */
function unlessMissing(error: unknown): undefined {
  if (!isGone(error)) throw error;
}
