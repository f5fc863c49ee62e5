import { describe } from 'vitest';
import { azureStorage } from 'nestjs-files/storage/azure';
import { describeTusCrashPoints } from '../support/describe-tus-crash-points.js';
import { AZURE, namesIn, newContainer } from './server.js';

// FILES_TEST_EVERY_POINT has every moment.
const sample = [
  { call: 8, moment: 'before', bytes: 0 },
  { call: 12, moment: 'after', bytes: 0 },
] as const;

describe.skipIf(!AZURE)('Azure', () => {
  describeTusCrashPoints(
    'a container',
    async () => {
      const container = await newContainer();
      const place = { account: AZURE ?? '', container: container.containerName };
      return { storage: azureStorage({ container }), place, left: () => namesIn(container) };
    },
    process.env['FILES_TEST_EVERY_POINT'] === undefined ? { sample } : {},
  );
});
