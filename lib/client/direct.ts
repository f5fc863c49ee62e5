import { attempt } from './attempts.js';
import { sha256 } from './digest.js';
import { keyOf, storeOf } from './notes.js';
import { exchange, send } from './send.js';
import { isGone, UploadError } from './upload-error.js';
import type { UploadedFile, UploadOptions } from './upload-options.js';

interface State {
  parts: number;
  partSize: number;
  uploaded: number[];
  state: string;
}

interface Signed {
  number: number;
  method: string;
  url: string;
  headers: Record<string, string>;
}

const SIGNED_AT_ONCE = 10;

/**
 * Sends the file to the storage in parts, and has the server make a file of them. Every step may be repeated, except
 * the first.
 */
export async function uploadDirect(file: Blob, name: string, options: UploadOptions): Promise<UploadedFile> {
  const store = storeOf(options.resume);
  const key = keyOf(file, name, options);
  const known = store?.getItem(key);
  const earlier = known ? await stateOf(options, known).catch(unlessGone) : undefined;
  const id = earlier && known ? known : await begin(file, name, options);
  store?.setItem(key, id);
  try {
    if (earlier?.state !== 'completed') await sendParts(file, id, options);
    const uploaded = await attempt(options, () => send<UploadedFile>(options, 'POST', `/uploads/${id}/complete`));
    store?.removeItem(key);
    return uploaded;
  } catch (error) {
    // What can go on later stays, also after a refusal, such as of a session that has expired.
    if (!store) await giveUp(id, options);
    else if (isGone(error)) store.removeItem(key);
    throw error;
  }
}

/**
 * Has the server forget the upload, and the bytes that have arrived. If that fails, it does so when the upload expires.
 */
export async function giveUp(id: string, { signal: _, ...options }: UploadOptions): Promise<void> {
  await send(options, 'DELETE', `/uploads/${id}`).catch(() => undefined);
}

async function begin(file: Blob, name: string, options: UploadOptions): Promise<string> {
  const checksum = options.digest ? `sha256:${hexOf(await sha256(await file.arrayBuffer()))}` : undefined;
  const { size, type } = file;
  const announced = { name, size, contentType: type || undefined, storage: options.storage, checksum };
  const { id } = await attempt(
    options,
    () => send<{ id: string }>(options, 'POST', '/uploads', announced, { onProgress: () => undefined }),
    false,
  );
  return id;
}

function stateOf(options: UploadOptions, id: string): Promise<State> {
  return attempt(options, () => send<State>(options, 'GET', `/uploads/${id}`));
}

async function sendParts(file: Blob, id: string, options: UploadOptions): Promise<void> {
  const { parts, partSize, uploaded } = await stateOf(options, id);
  const missing = Array.from({ length: parts }, (_, at) => at + 1).filter((number) => !uploaded.includes(number));
  const part = (number: number): Blob => file.slice((number - 1) * partSize, number * partSize);
  let sent = uploaded.reduce((sum, number) => sum + part(number).size, 0);
  const tell = (more: number): void => options.onProgress?.(sent + more, file.size);
  tell(0);
  for (let at = 0; at < missing.length; at += SIGNED_AT_ONCE) {
    const numbers = missing.slice(at, at + SIGNED_AT_ONCE);
    const sign = (some: number[]): Promise<{ parts: Signed[] }> =>
      attempt(options, () => send(options, 'POST', `/uploads/${id}/parts`, { numbers: some }));
    const signed = new Map((await sign(numbers)).parts.map((one) => [one.number, one]));
    for (const number of numbers) {
      const body = part(number);
      await attempt(options, async () => {
        // After a failure the request may have expired, so that it is signed again.
        const one = signed.get(number) ?? (await sign([number])).parts[0];
        signed.delete(number);
        const { method, url, headers } = one as Signed;
        const onProgress = options.onProgress && ((loaded: number) => tell(Math.min(loaded, body.size)));
        await exchange({ method, url, headers, body, signal: options.signal, onProgress }).catch(ofStorage);
      });
      sent += body.size;
      tell(0);
    }
  }
}

// A storage refuses an expired signature with a 403, Google with a 400. A new one helps.
function ofStorage(error: unknown): never {
  if (!(error instanceof UploadError) || ![400, 403].includes(error.status)) throw error;
  throw new UploadError(error.message, error.code, error.status, true);
}

function unlessGone(error: unknown): undefined {
  if (!isGone(error)) throw error;
}

function hexOf(bytes: number[]): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
