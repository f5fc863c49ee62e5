import { giveUp } from '../direct.js';
import { exchange, headersOf } from '../send.js';
import type { UploadOptions } from '../upload-options.js';
import type { FieldItem } from './field-item.js';

/** Takes an item out of the page, ends its upload, and has the server forget that, unless it is kept for later. */
export function discard({ row, stop, note }: FieldItem, options: UploadOptions, isKept = false): void {
  row.remove();
  stop.abort();
  if (note.id === undefined || isKept) return;
  void giveUpNoted(note.id, options);
  note.removeItem();
}

/** The note is the id of a direct upload, or the address of one by tus. */
async function giveUpNoted(note: string, options: UploadOptions): Promise<void> {
  if (!note.includes('/')) return giveUp(note, options);
  const { withCredentials } = options;
  const headers = { ...headersOf(options), 'tus-resumable': '1.0.0' };
  await exchange({ method: 'DELETE', url: note, headers, withCredentials }).catch(() => undefined);
}
