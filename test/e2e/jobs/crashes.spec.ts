import { reachableDatabases, theDatabase } from '../../support/databases.js';
import { describeJobCrashes } from '../../support/describe-job-crashes.js';

const [kind = await theDatabase()] = await reachableDatabases('file', 'postgres', 'mariadb');

// `npm run test:crash` has every point of every engine on every database, and many jobs.
describeJobCrashes('outboxJobs', kind, { task: () => ({ engine: 'outboxJobs', poll: 20, lease: 300 }) });
