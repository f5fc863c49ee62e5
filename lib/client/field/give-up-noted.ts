import { giveUp } from '../direct.js';
import { exchange, headersOf } from '../send.js';
import type { UploadOptions } from '../upload-options.js';

/** Has the server forget an unfinished upload: the note is the id of a direct upload, or the address of one by tus. */
export async function giveUpNoted(note: string, options: UploadOptions): Promise<void> {
  if (!note.includes('/')) return giveUp(note, options);
  const { withCredentials } = options;
  const headers = { ...headersOf(options), 'tus-resumable': '1.0.0' };
  await exchange({ method: 'DELETE', url: note, headers, withCredentials }).catch(() => undefined);
}
