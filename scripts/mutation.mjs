import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

// Which mutants are held against which tests, and where: what is written for one kind of database is only reached on it. The slow tests are
// only run where nothing else notices.
const GROUPS = {
  ownership: {
    mutate: ['lib/ownership/**/*.ts', '!lib/ownership/statements/mysql*.ts', '!lib/ownership/statements/postgres*.ts'],
    tests: [
      'test/unit/ownership/!(*.property).spec.ts',
      'test/unit/validation/transfer-ownership.spec.ts',
      'test/e2e/ownership/!(docs).spec.ts',
    ],
  },
  'task-queue': {
    mutate: ['lib/task-queue/*.ts'],
    tests: [
      'test/unit/task-queue/*.spec.ts',
      'test/unit/validation/{undecorated-routes,carries-transfer-ownership,schema/schema-routes}.spec.ts',
      'test/e2e/task-queue/routes.spec.ts',
    ],
  },
  'unit-of-work': {
    mutate: [
      'lib/unit-of-work/!(sqlite-lease|commit-outcome|database-fault).ts',
      'lib/unit-of-work/dialects/!(postgres*|mysql*|begin-with|named-statements).ts',
    ],
    tests: [
      'test/unit/unit-of-work/!(sqlite-lease|commit-outcome|broken-connections|named-statements|begin-with).spec.ts',
    ],
  },
  lease: {
    mutate: ['lib/unit-of-work/sqlite-lease.ts'],
    tests: ['test/unit/unit-of-work/{sqlite-lease,query-runner,joining,nesting,data-sources,late-work}.spec.ts'],
  },
  servers: {
    mutate: [
      'lib/unit-of-work/commit-outcome.ts',
      'lib/unit-of-work/database-fault.ts',
      'lib/unit-of-work/dialects/postgres*.ts',
      'lib/unit-of-work/dialects/mysql*.ts',
      'lib/unit-of-work/dialects/begin-with.ts',
      'lib/unit-of-work/dialects/named-statements.ts',
    ],
    tests: [
      'test/unit/unit-of-work/{commit-outcome,broken-connections,named-statements,begin-with,doomed,retry,nesting}.spec.ts',
    ],
    databases: 'postgres,mariadb',
  },
  'server-statements': {
    mutate: ['lib/ownership/statements/mysql*.ts', 'lib/ownership/statements/postgres*.ts'],
    tests: ['test/unit/ownership/statements.spec.ts'],
    databases: 'postgres,mariadb',
  },
};
const LOWEST = 85;

const asked = process.argv.slice(2);
for (const name of asked.length > 0 ? asked : Object.keys(GROUPS)) {
  const { mutate, tests, databases = 'sqlite' } = GROUPS[name];
  const env = {
    ...process.env,
    FILES_TEST_DATABASES: databases,
    MUTATION_GROUP: name,
    MUTATION_TESTS: tests.join(' '),
  };
  const { status } = spawnSync('npx', ['stryker', 'run', '--mutate', mutate.join(',')], { env, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** How many mutants of each room were found and how many were not, in all groups that have been run. */
const rooms = new Map();
for (const report of Object.keys(GROUPS).map((name) => `reports/mutation/${name}.json`)) {
  if (!existsSync(report)) continue;
  const { files } = JSON.parse(readFileSync(report, 'utf8'));
  for (const [path, { mutants }] of Object.entries(files)) {
    for (const room of [path.split('/')[1], 'all']) {
      const { found, missed } = rooms.get(room) ?? { found: 0, missed: 0 };
      const count = (...kinds) => mutants.filter(({ status }) => kinds.includes(status)).length;
      rooms.set(room, {
        found: found + count('Killed', 'Timeout'),
        missed: missed + count('Survived', 'NoCoverage'),
      });
    }
  }
}
for (const [room, { found, missed }] of [...rooms].toReversed()) {
  const score = (100 * found) / (found + missed);
  console.log(`${room}: ${found} of ${found + missed} mutants found, ${score.toFixed(1)} %`);
  if (room === 'all' && score < LOWEST) process.exitCode = 1;
}
