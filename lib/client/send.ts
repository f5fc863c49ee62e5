import { onAbort } from './abort.js';
import { UploadError } from './upload-error.js';
import type { UploadOptions } from './upload-options.js';

/** Too many requests, or a stalled upload, of which nothing was kept. */
const BUSY = [408, 429];
const LOST = 'The connection was lost';

/** A request that is sent as it is. */
export interface Outgoing {
  method: string;
  url: string;
  headers?: Record<string, string>;
  body?: Blob | FormData | string;
  withCredentials?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((sent: number) => void) | undefined;
}

interface Answer {
  status: number;
  text: string;
  after: string | null;
}

/** The part of `XMLHttpRequest` that is used: `fetch` cannot tell how much of a body was sent. */
interface Request {
  open(method: string, url: string): void;
  setRequestHeader(name: string, value: string): void;
  getResponseHeader(name: string): string | null;
  send(body?: unknown): void;
  abort(): void;
  upload: { onprogress: (event: { loaded: number }) => void; onload: () => void };
  withCredentials: boolean;
  status: number;
  responseText: string;
  onload: () => void;
  onerror: () => void;
  onabort: () => void;
}

/** A request to the library's routes; what it answers as JSON. */
export async function send<T>(
  options: UploadOptions,
  method: string,
  path: string,
  json?: object,
  further: Partial<Outgoing> = {},
): Promise<T> {
  const { withCredentials, signal } = options;
  const body = json && { body: JSON.stringify(json) };
  const type: Record<string, string> = body ? { 'content-type': 'application/json' } : {};
  const { text, status } = await exchange({
    method,
    url: baseOf(options) + path,
    withCredentials,
    signal,
    ...body,
    ...further,
    headers: { ...headersOf(options), ...type, ...further.headers },
  });
  try {
    return (text ? JSON.parse(text) : undefined) as T;
  } catch {
    // Such as the page of a login, to which the request was redirected.
    throw new UploadError('The server has not answered with JSON', undefined, status);
  }
}

/** The address of the library's routes. */
export function baseOf({ endpoint = '/files' }: UploadOptions): string {
  return endpoint.replace(/\/+$/, '');
}

/** The headers that the application wants. */
export function headersOf({ headers = {} }: UploadOptions): Record<string, string> {
  return typeof headers === 'function' ? headers() : headers;
}

/** Sends the request. Rejects with an `UploadError` for every answer that is no success. */
export async function exchange(request: Outgoing): Promise<Answer> {
  const XHR = (globalThis as unknown as { XMLHttpRequest?: new () => Request }).XMLHttpRequest;
  const answer = await (XHR && request.onProgress ? byXhr(new XHR(), request) : byFetch(request));
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw errorOf(answer);
}

async function byFetch({ url, withCredentials, signal, method, headers = {}, body }: Outgoing): Promise<Answer> {
  const credentials = withCredentials ? 'include' : 'same-origin';
  const init = { method, headers, credentials, signal: signal ?? null, body: body ?? null } as const;
  const answer = await fetch(url, init).catch((error: unknown) => {
    const { cause } = error as { cause?: { code?: unknown } };
    throw lost(cause?.code === 'ECONNREFUSED');
  });
  const text = await answer.text().catch(() => {
    throw lost(false);
  });
  return { status: answer.status, text, after: answer.headers.get('retry-after') };
}

function byXhr(
  xhr: Request,
  { url, withCredentials, signal, method, headers, body, onProgress }: Outgoing,
): Promise<Answer> {
  const forget = onAbort(signal, () => xhr.abort());
  return new Promise<Answer>((resolve, reject) => {
    // A server that has not got all of a body makes no file of it.
    let isSent = false;
    xhr.open(method, url);
    xhr.withCredentials = withCredentials === true;
    for (const [name, value] of Object.entries(headers ?? {})) xhr.setRequestHeader(name, value);
    xhr.upload.onprogress = ({ loaded }) => onProgress?.(loaded);
    xhr.upload.onload = () => (isSent = true);
    xhr.onload = () =>
      resolve({ status: xhr.status, text: xhr.responseText, after: xhr.getResponseHeader('retry-after') });
    xhr.onerror = xhr.onabort = () => reject(lost(!isSent));
    xhr.send(body);
  }).finally(forget);
}

function lost(isSafe: boolean): UploadError {
  return new UploadError(LOST, undefined, 0, isSafe);
}

/** What an answer says that is no success; status 0 stands for none. */
export function errorOf({ status, text, after }: Answer): UploadError {
  let said: { message?: string | string[]; code?: string } = {};
  try {
    said = (JSON.parse(text) as typeof said | null) ?? {};
  } catch {
    // A proxy, or a storage, answers in another form.
  }
  const { message = status ? `The server answered ${status}` : LOST, code } = said;
  // A server that says itself why it is not there has kept nothing.
  const isSafe = status === 503 ? code !== undefined && code !== 'FILES_COMMIT_OUTCOME_UNKNOWN' : BUSY.includes(status);
  const seconds = Number(after);
  return new UploadError([message].flat().join('. '), code, status, isSafe, seconds > 0 ? seconds * 1000 : undefined);
}
