import { fsStorage } from 'nestjs-files/storage/fs';
import { describeTusCrashPoints } from '../../support/describe-tus-crash-points.js';
import { filesBelow, newDirectory } from '../../support/files-directory.js';

// `npm run test:crash` has every moment.
describeTusCrashPoints(
  'a directory',
  async () => {
    const root = newDirectory();
    return { storage: fsStorage({ root }), place: { root }, left: () => filesBelow(root) };
  },
  {
    sample: [
      { call: 4, moment: 'within', bytes: 2_000_000 },
      { call: 6, moment: 'after', bytes: 0 },
      { call: 7, moment: 'after', bytes: 0 },
    ],
  },
);
