import { describe, it } from 'vitest';
import { gcsStorage } from 'nestjs-files/storage/gcs';
import { describeStorage } from 'nestjs-files/testing';
import { GCS, newBucket } from './server.js';

describe.skipIf(!GCS)('Google Cloud Storage', () => {
  describeStorage(
    'a bucket of its own',
    async (limits) => {
      const bucket = await newBucket();
      return gcsStorage({ bucket, publicBaseUrl: `https://storage.googleapis.com/${bucket.name}`, ...limits });
    },
    { describe, it },
  );

  describeStorage(
    'a prefix',
    async (limits) => {
      const bucket = await newBucket();
      await bucket.file('apple/pie').save('pie', { resumable: false, preconditionOpts: { ifGenerationMatch: 0 } });
      return gcsStorage({ bucket, prefix: 'app/', ...limits });
    },
    { describe, it },
  );
});
