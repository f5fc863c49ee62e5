import { outboxJobs } from '../../../lib/jobs/outbox/outbox-engine.js';
import { reachableDatabases } from '../../support/databases.js';
import { describeJobs } from '../../support/describe-jobs.js';

const kinds = await reachableDatabases('file', 'postgres', 'mariadb');

for (const kind of kinds) {
  describeJobs('outboxJobs', kind, {
    make: () => outboxJobs({ poll: 20 }),
    left: async ({ read }) => {
      const [row] = await read("SELECT COUNT(*) AS jobs FROM files_job WHERE state <> 'done'");
      return Number(row?.['jobs']);
    },
    dieInSecondAttempt: ({ dataSource }) =>
      dataSource.query("UPDATE files_job SET attempts = 2, lease_owner = 'a0000000-0000-7000-8000-000000000000'"),
  });
}
