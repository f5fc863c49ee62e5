import { describeCrashes } from '../crash/describe-crashes.js';
import { OPERATIONS } from '../crash/operations.js';
import { PART_SIZE, S3Bytes } from '../crash/s3-bytes.js';
import { reachableDatabases } from '../support/databases.js';

const large = Buffer.concat([Buffer.from('%PDF-1.7\n'), Buffer.alloc(PART_SIZE + 1000, 'x')]);
const operations = {
  ...OPERATIONS,
  'create in parts': async (alice) => () => alice.sendFile(large, 'large.pdf', 'application/pdf'),
} satisfies typeof OPERATIONS;

// FILES_TEST_EVERY_POINT does all of it, on two databases.
const isWhole = process.env['FILES_TEST_EVERY_POINT'] !== undefined;
const databases = (await reachableDatabases('file', 'postgres')).slice(0, isWhole ? 2 : 1);
const onS3 = { operations, newBytes: S3Bytes.build };

describeCrashes(
  databases.flatMap((database) => [
    { ...onS3, database, way: 'its network is cut', every: isWhole ? 1 : 8 },
    { ...onS3, database, way: 'its storage fails', every: isWhole ? 1 : 8 },
    { ...onS3, database, way: 'its process is killed', every: isWhole ? 1 : 30 },
  ]),
);
