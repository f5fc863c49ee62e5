import { readCapabilities } from './capabilities.js';
import { uploadDirect } from './direct.js';
import { uploadPlain } from './plain.js';
import { UploadError } from './upload-error.js';
import type { UploadedFile, UploadOptions } from './upload-options.js';

/** Smaller files take a single request. */
const SMALL = 5 * 1024 * 1024;

/**
 * Uploads a file: `const { id } = await upload(input.files[0], { onProgress })`. Large files go to the storage in parts where the server offers it.
 * Requests are repeated where that cannot make a second file. Throws `UploadError` with the code and the message of the server.
 */
export async function upload(file: Blob, options: UploadOptions = {}): Promise<UploadedFile> {
  const name = options.name ?? (file as { name?: string }).name ?? 'file';
  const way = options.way ?? (await wayFor(file, options));
  return way === 'direct' ? uploadDirect(file, name, options) : uploadPlain(file, name, options);
}

async function wayFor(file: Blob, options: UploadOptions): Promise<'plain' | 'direct'> {
  if (file.size <= SMALL) return 'plain';
  const offer = await readCapabilities(options).catch(unlessMissing);
  const storage = offer?.storages.find(({ name }) => name === (options.storage ?? offer.defaultStorage));
  return storage?.direct ? 'direct' : 'plain';
}

/** The application may leave the route out. */
function unlessMissing(error: unknown): undefined {
  if (!(error instanceof UploadError) || error.status !== 404) throw error;
}
