import { describe } from 'vitest';
import { gcsStorage } from 'nestjs-files/storage/gcs';
import { describeTus } from '../support/tus-suite.js';
import { GCS, namesIn, newBucket } from './server.js';

const PIECE = 8 * 1024 * 1024;

describe.skipIf(!GCS)('Google Cloud Storage', () => {
  describeTus('a bucket', PIECE, async () => {
    const bucket = await newBucket();
    const left = async () => (await namesIn(bucket)).filter((name) => name !== '.nestjs-files/mark');
    return { storage: gcsStorage({ bucket }), left };
  });
});
