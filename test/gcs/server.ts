import { generateKeyPairSync, randomUUID } from 'node:crypto';
import type { Bucket, StorageOptions } from '@google-cloud/storage';
import { Storage } from '@google-cloud/storage';
import { onTestFinished } from 'vitest';
import { wireTo } from '../support/wire.js';
import type { Wire } from '../support/wire.js';
import { Front } from './front.js';

/** The address of the emulator; there is none where the tests are skipped. */
export const GCS = process.env['FILES_TEST_GCS'];

const email = 'tests@demo.iam.gserviceaccount.com';
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const credentials = {
  client_email: email,
  private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
};
// As an application would have them, but quicker. Seconds: the client fails with less.
const retryOptions = { maxRetryDelay: 1 };

/** A client of the server, whose requests need no token there. */
export function clientOf(url: URL, options: StorageOptions = {}): Storage {
  return new Storage({ apiEndpoint: url.origin, projectId: 'demo', credentials, retryOptions, ...options });
}

/** A front before the emulator, with a wire before that; all of it ends with the test. */
export async function newWorld(): Promise<{ front: Front; wire: Wire; bucket: Bucket; direct: Bucket }> {
  if (GCS === undefined) throw new Error('FILES_TEST_GCS is not set: run npm run test:gcs');
  const front = new Front(GCS, { email, publicKey });
  const url = await front.listen();
  onTestFinished(() => front.close());
  const name = `test-${randomUUID()}`;
  front.addBucket(name);
  const wire = await wireTo(url);
  wire.disturb(() => undefined);
  return { front, wire, bucket: clientOf(wire.url).bucket(name), direct: clientOf(url).bucket(name) };
}

/** An empty bucket, removed with the test. */
export async function newBucket(): Promise<Bucket> {
  return (await newWorld()).direct;
}

export async function namesIn(bucket: Bucket): Promise<string[]> {
  const [files] = await bucket.getFiles();
  return files.map(({ name }) => name);
}
