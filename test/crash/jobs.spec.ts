import { reachableDatabases } from '../support/databases.js';
import { describeJobCrashes } from '../support/describe-job-crashes.js';

for (const kind of await reachableDatabases('file', 'postgres', 'mariadb'))
  describeJobCrashes(kind, { jobs: 10_000, everyPoint: true });
