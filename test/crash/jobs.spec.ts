import { randomUUID } from 'node:crypto';
import { listens, reachableDatabases } from '../support/databases.js';
import { describeJobCrashes } from '../support/describe-job-crashes.js';
import { emptyRedis, loginOf, REDIS } from '../support/job-engines.js';

const times = { poll: 20, lease: 1_000 };
// A fifth of them is queued by units that are rolled back.
const jobs = 12_500;
const databases = await reachableDatabases('file', 'postgres', 'mariadb');

for (const kind of databases)
  describeJobCrashes('outboxJobs', kind, { jobs, task: () => ({ engine: 'outboxJobs', ...times }) });

for (const kind of databases.filter((one) => one.kind === 'postgres')) {
  describeJobCrashes('graphileWorkerJobs', kind, { jobs, task: () => ({ engine: 'graphileWorkerJobs', ...times }) });
  for (const version of [10, 12] as const) {
    const engine = 'pgBossJobs';
    describeJobCrashes(`pgBossJobs with version ${version}`, kind, {
      jobs,
      task: (database) => ({ engine, version, login: loginOf(database), ...times }),
    });
  }
}

for (const kind of (await listens(REDIS.url)) ? databases : []) {
  const prefix = `files-test-${randomUUID()}`;
  const task = () => ({ engine: 'bullmqJobs', prefix, ...times }) as const;
  describeJobCrashes('bullmqJobs', kind, { jobs, task, clean: () => emptyRedis(prefix) });
}
