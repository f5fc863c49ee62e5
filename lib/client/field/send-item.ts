import { storeOf } from '../notes.js';
import { upload } from '../upload.js';
import type { UploadOptions } from '../upload-options.js';
import type { FieldItem } from './field-item.js';

/** Uploads the file of an item, shows how far that is, and returns the id. `item.stop` ends it. */
export async function sendItem(item: FieldItem, file: File, options: UploadOptions): Promise<string> {
  item.stop = new AbortController();
  item.note.further = storeOf(options.resume);
  item.become('sending');
  const onProgress = (sent: number, total: number): void => {
    item.progressed(total > 0 ? sent / total : 1);
    options.onProgress?.(sent, total);
  };
  const { id } = await upload(file, { ...options, resume: item.note, signal: item.stop.signal, onProgress });
  return id;
}
