import { S3Client } from '@aws-sdk/client-s3';
import { describe, it } from 'vitest';
import { describeStorage } from 'nestjs-files/testing';
import { s3Proxy, withoutConditions } from '../support/s3-proxy.js';
import { newS3Storage, s3Config } from '../support/s3-server.js';

const framework = { describe, it };

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
  framework,
);
