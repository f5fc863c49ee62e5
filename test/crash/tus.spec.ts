import { fsStorage } from 'nestjs-files/storage/fs';
import { reachableDatabases } from '../support/databases.js';
import { describeTusCrashPoints } from '../support/describe-tus-crash-points.js';
import { filesBelow, newDirectory } from '../support/files-directory.js';

for (const database of await reachableDatabases('file', 'postgres', 'mariadb'))
  describeTusCrashPoints(
    'a directory',
    async () => {
      const root = newDirectory();
      return { storage: fsStorage({ root }), place: { root }, left: () => filesBelow(root) };
    },
    { database },
  );
