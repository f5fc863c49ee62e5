import { UploadBusyError } from '../../errors/uploads.errors.js';
import type { ResumableUploadAdapter } from '../resumable-upload-adapter.js';

/** Uploads in several requests, kept in memory until they are finished. */
export function memoryResumable(
  isTaken: (location: string) => boolean,
  add: (location: string, bytes: Buffer) => void,
): ResumableUploadAdapter {
  const open = new Map<string, Buffer>();
  const arrived = (location: string): Buffer => open.get(location) ?? Buffer.alloc(0);
  return {
    begin: async (location) => location,
    offset: async (location) => (open.has(location) || !isTaken(location) ? arrived(location).length : undefined),
    async append(location, _handle, offset, content) {
      const chunks = [arrived(location).subarray(0, offset)];
      const keep = (): void => void open.set(location, Buffer.concat(chunks));
      try {
        for await (const chunk of content) chunks.push(Buffer.from(chunk));
      } catch (error) {
        // Another request may have added bytes meanwhile.
        if (!(error instanceof UploadBusyError)) keep();
        throw error;
      }
      keep();
      return arrived(location).length;
    },
    head: async (location, _handle, size) => Buffer.from(arrived(location).subarray(0, size)),
    async finish(location) {
      if (!isTaken(location)) add(location, arrived(location));
      open.delete(location);
    },
    abort: async (location) => void open.delete(location),
  };
}
