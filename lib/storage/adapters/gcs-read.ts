import { request as insecure } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as secure } from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bucket } from '@google-cloud/storage';
import { GcsFault, isStatus } from './gcs-errors.js';

const ATTEMPTS = 4;
// Milliseconds.
const PAUSE = 200;
const TIMEOUT = 60_000;
// https://cloud.google.com/storage/docs/retry-strategy
const RETRIED = [408, 429, 500, 502, 503, 504];

/**
 * Asks for the content of an object, or for a range of it. Resolves once the first byte can be read; throws a
 * `GcsFault` for an answer without the content.
 *
 * The client gives only the address and the token. A stream of its own does not end when the connection breaks (version
 * 7), and when one is destroyed before its end, the connections of all others break (7 and 8).
 */
export async function openContent(bucket: Bucket, name: string, range?: string): Promise<IncomingMessage> {
  const { url, headers } = await authenticated(bucket, name);
  // An object that is stored compressed is sent as it is.
  headers.set('accept-encoding', 'gzip');
  if (range !== undefined) headers.set('range', range);
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await ask(url, Object.fromEntries(headers));
      const status = answer.statusCode ?? 0;
      if (status < 300) return answer;
      throw new GcsFault(status, await text(answer));
    } catch (error) {
      const isFinal = error instanceof GcsFault && !isStatus(error, ...RETRIED);
      if (isFinal || attempt === ATTEMPTS) throw error;
      await delay(PAUSE * 2 ** attempt);
    }
  }
}

function authenticated(bucket: Bucket, name: string): Promise<{ url: URL; headers: Headers }> {
  const { storage, userProject } = bucket;
  const url = new URL(`${storage.baseUrl}/b/${bucket.name}/o/${encodeURIComponent(name)}?alt=media`);
  if (userProject !== undefined) url.searchParams.set('userProject', userProject);
  return new Promise((resolve, reject) => {
    storage.makeAuthenticatedRequest(
      { uri: url.href },
      {
        onAuthenticated(error, options) {
          if (error) reject(error);
          // A plain object in version 7 of the client.
          else resolve({ url, headers: new Headers(options?.headers as ConstructorParameters<typeof Headers>[0]) });
        },
      },
    );
  });
}

function ask(url: URL, headers: Record<string, string>): Promise<IncomingMessage> {
  const send = url.protocol === 'http:' ? insecure : secure;
  return new Promise((resolve, reject) => {
    const request = send(url, { headers }, (answer) => {
      // Whoever reads may be slow.
      request.setTimeout(0);
      resolve(answer);
    });
    request.setTimeout(TIMEOUT, () => request.destroy(new Error(`no answer within ${TIMEOUT} ms`)));
    request.once('error', reject).end();
  });
}
