import { outboxJobs } from '../../../lib/jobs/outbox/outbox-engine.js';
import { reachableDatabases } from '../../support/databases.js';
import { describeJobs } from '../../support/describe-jobs.js';

for (const kind of await reachableDatabases('file', 'postgres', 'mariadb')) {
  describeJobs('outboxJobs', kind, {
    make: () => outboxJobs({ poll: 20 }),
    left: async ({ read }) => {
      const [row] = await read("SELECT COUNT(*) AS jobs FROM files_job WHERE state <> 'done'");
      return Number(row?.['jobs']);
    },
  });
}
