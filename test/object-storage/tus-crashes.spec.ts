import { PART_SIZE } from '../crash/s3-bytes.js';
import { describeTusCrashPoints } from '../support/describe-tus-crash-points.js';
import { newS3Storage } from '../support/s3-server.js';

// FILES_TEST_EVERY_POINT has every moment.
const sample = [
  { call: 8, moment: 'before', bytes: 0 },
  { call: 12, moment: 'after', bytes: 0 },
] as const;

describeTusCrashPoints(
  'a bucket',
  async () => {
    const { storage, bucket, inside } = await newS3Storage({ partSize: PART_SIZE });
    const left = async () =>
      [...(await inside.keys()), ...(await inside.uploads())].filter((key) => key !== '.nestjs-files/mark');
    return { storage, place: { bucket, prefix: inside.prefix }, left };
  },
  process.env['FILES_TEST_EVERY_POINT'] === undefined ? { sample } : {},
);
