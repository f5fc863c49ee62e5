import { onAbort } from './abort.js';
import { attempt, pauseAfter } from './attempts.js';
import { keyOf, storeOf } from './notes.js';
import { baseOf, errorOf, headersOf, send } from './send.js';
import { isGone, UploadError } from './upload-error.js';
import type { TusFailure, TusLibrary, UploadedFile, UploadOptions } from './upload-options.js';

/**
 * Sends the file by `tus-js-client`, and asks for the file that the server has made of it. `path` is relative to the
 * `endpoint`.
 */
export async function uploadTus(file: Blob, name: string, path: string, options: UploadOptions): Promise<UploadedFile> {
  const library = await libraryOf(options.tus);
  if (!library) throw new UploadError('Give tus-js-client as the option `tus`');
  const { signal, storage, retries = 5, withCredentials = false } = options;
  const [store, key] = [storeOf(options.resume), `tus ${keyOf(file, name, options)}`];
  signal?.throwIfAborted();
  let forget = (): void => undefined;
  const sent = new Promise<string>((resolve, reject) => {
    const upload = new library.Upload(file as File, {
      endpoint: addressOf(path, options),
      uploadUrl: store?.getItem(key) ?? null,
      metadata: { filename: name, filetype: file.type, ...(storage !== undefined && { storage }) },
      retryDelays: Array.from({ length: retries }, (_, count) => pauseAfter(count)),
      storeFingerprintForResuming: false,
      // Other than that of the library, it also tries again while the browser takes itself for offline.
      onShouldRetry: (error) => isPassing(failureOf(error).status),
      onBeforeRequest: (request) => {
        for (const [header, value] of Object.entries(headersOf(options))) request.setHeader(header, value);
        Object.assign(request.getUnderlyingObject() as object, { withCredentials });
      },
      onAfterResponse: (request, originalResponse) => {
        const failure = failureOf({ originalResponse });
        // The library would begin another upload after every answer that is no success.
        if (request.getMethod() === 'HEAD' && failure.status >= 400 && !isGone(failure)) throw failure;
      },
      onUploadUrlAvailable: () => store?.setItem(key, upload.url ?? ''),
      onProgress: (bytes, total) => options.onProgress?.(bytes, total),
      onSuccess: () => resolve(upload.url ?? ''),
      onError: (error) => reject(failureOf(error)),
    });
    forget = onAbort(signal, () => {
      // What can go on later stays.
      upload.abort(!store).catch(() => undefined);
      reject(signal?.reason as Error);
    });
    upload.start();
  }).finally(() => forget());
  try {
    const id = (await sent).split('/').at(-1);
    const uploaded = await attempt(options, () => send<UploadedFile>(options, 'GET', `/${id}`));
    store?.removeItem(key);
    return uploaded;
  } catch (error) {
    if (isGone(error)) store?.removeItem(key);
    throw error;
  }
}

function addressOf(path: string, options: UploadOptions): string {
  const { location } = globalThis as { location?: { href: string } };
  return new URL(path, new URL(`${baseOf(options)}/`, location?.href)).href;
}

function libraryOf(tus: UploadOptions['tus']): TusLibrary | Promise<TusLibrary> | undefined {
  return typeof tus === 'function' ? tus() : tus;
}

/** What `tus-js-client` has failed with: an answer, what `onAfterResponse` has thrown, or neither. */
function failureOf({ causingError, originalResponse: answer }: TusFailure): UploadError {
  if (causingError instanceof UploadError) return causingError;
  return errorOf({ status: answer?.getStatus() ?? 0, text: answer?.getBody() ?? '', after: null });
}

/** No answer, a fault, or an upload that another request still appends to, such as the one that broke off. */
function isPassing(status: number): boolean {
  return status < 400 || status >= 500 || [408, 409, 423, 429].includes(status);
}
