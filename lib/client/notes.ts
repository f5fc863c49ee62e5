import type { KeyStore, UploadOptions } from './upload-options.js';

/** Where unfinished uploads are noted, if they are to go on later, and the browser lets pages note anything. */
export function storeOf(resume: UploadOptions['resume']): KeyStore | undefined {
  if (resume !== true) return resume || undefined;
  try {
    return (globalThis as { localStorage?: KeyStore }).localStorage;
  } catch {
    return undefined;
  }
}

/** Tells a file from others, also after the page was loaded again. */
export function keyOf(file: Blob, name: string, { endpoint, storage }: UploadOptions): string {
  const { lastModified } = file as { lastModified?: number };
  return ['nestjs-files', endpoint, storage, name, file.size, file.type, lastModified].join(' ');
}
