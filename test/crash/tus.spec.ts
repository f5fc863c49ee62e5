import { fsStorage } from 'nestjs-files/storage/fs';
import { describeTusCrashPoints } from '../support/describe-tus-crash-points.js';
import { filesBelow, newDirectory } from '../support/files-directory.js';

describeTusCrashPoints('a directory', async () => {
  const root = newDirectory();
  return { storage: fsStorage({ root }), place: { root }, left: () => filesBelow(root) };
});
