import { reachableDatabases } from '../../support/databases.js';
import { describeJobCrashes } from '../../support/describe-job-crashes.js';

// `npm run test:crash` has every point on every database, and many more jobs.
for (const kind of await reachableDatabases('file', 'postgres', 'mariadb'))
  describeJobCrashes(kind, { jobs: 400, everyPoint: kind.kind === 'file' });
