import { attempt } from './attempts.js';
import { sha256 } from './digest.js';
import { send } from './send.js';
import type { Outgoing } from './send.js';
import type { UploadedFile, UploadOptions } from './upload-options.js';

/** Sends the file in a form. A form whose fate is not known is not sent again, because it may have become a file. */
export async function uploadPlain(file: Blob, name: string, options: UploadOptions): Promise<UploadedFile> {
  const { storage, digest, onProgress } = options;
  const form = new FormData();
  if (storage !== undefined) form.append('storage', storage);
  form.append('file', file, name);
  const outgoing: Partial<Outgoing> = digest ? await digested(form) : { body: form };
  const total = file.size;
  // Also for nobody: only a request that tells its progress knows whether all of it was sent before it broke.
  outgoing.onProgress = (sent) => onProgress?.(Math.min(sent, total), total);
  const uploaded = await attempt(options, () => send<UploadedFile>(options, 'POST', '', undefined, outgoing), false);
  onProgress?.(total, total);
  return uploaded;
}

/** The bytes of the form, with their hash: https://www.rfc-editor.org/rfc/rfc9530 */
async function digested(form: FormData): Promise<Pick<Outgoing, 'body' | 'headers'>> {
  const answer = new Response(form);
  const type = answer.headers.get('content-type') ?? '';
  const bytes = await answer.arrayBuffer();
  const base64 = btoa(String.fromCharCode(...(await sha256(bytes))));
  return { body: new Blob([bytes]), headers: { 'content-type': type, 'content-digest': `sha-256=:${base64}:` } };
}
