import { S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { describeStorage } from 'nestjs-files/testing';
import { s3Proxy, withoutConditions } from '../support/s3-proxy.js';
import { newS3Storage, s3Config } from '../support/s3-server.js';

const framework = { describe, it };

// Without conditions nobody decides between two that write at the same time: docs/object-storage.md.
const RACES = ['lets exactly one of several concurrent writes win', 'keeps a mark'];
const withoutRaces = {
  describe,
  it: (title: string, run: () => Promise<void>) => {
    const define = RACES.includes(title) ? it.skip : it;
    return define(title, run);
  },
};

describeStorage('s3', async (limits) => (await newS3Storage(limits)).storage, framework);

describeStorage(
  's3, a client with the defaults of the SDK, with public addresses',
  async (limits) => {
    const client = new S3Client(s3Config());
    return (await newS3Storage({ client, publicBaseUrl: 'https://cdn.example.org', ...limits })).storage;
  },
  framework,
);

describeStorage(
  's3, a server without conditional writes',
  async (limits) => {
    const { endpoint } = await s3Proxy(withoutConditions);
    const client = { ...s3Config(), endpoint };
    return (await newS3Storage({ client, conditionalWrites: false, ...limits })).storage;
  },
  withoutRaces,
);

it('keeps a mark without conditional writes, where nobody else makes one at the same time', async () => {
  const { endpoint } = await s3Proxy(withoutConditions);
  const { storage } = await newS3Storage({ client: { ...s3Config(), endpoint }, conditionalWrites: false });
  const { markPlace } = storage;
  expect([await markPlace?.create('one'), await markPlace?.create('two')]).toEqual([true, false]);
  await markPlace?.replace('three');
  expect(await markPlace?.read()).toBe('three');
});
