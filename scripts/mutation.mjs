import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';

const SERVERS = 'postgres,mariadb';
const SERVER_STATEMENTS = [
  'lib/ownership/statements/mysql*.ts',
  'lib/ownership/statements/postgres*.ts',
  'lib/ownership/statements/history-witness.ts',
  'lib/ownership/statements/portable.statements.ts',
  'lib/ownership/statements/transfer-statements-for.ts',
  'lib/ownership/owner-existence.ts',
  'lib/ownership/quotas/usage.ts',
];

// Which mutants are held against which tests. What those do not notice, which are quick and on SQLite, is held against
// the slow ones and on a server; what is written for servers alone, at once.
const GROUPS = {
  ownership: {
    mutate: ['lib/ownership/**/*.ts', ...SERVER_STATEMENTS.map((path) => `!${path}`)],
    tests: [
      'test/unit/ownership/!(*.property).spec.ts',
      'test/unit/validation/transfer-ownership.spec.ts',
      'test/unit/diagnostics/traces.spec.ts',
      'test/e2e/ownership/!(docs).spec.ts',
    ],
    more: ['test/unit/ownership/*.spec.ts', 'test/e2e/ownership/!(docs).spec.ts', 'test/e2e/transports/ws.spec.ts'],
  },
  'server-statements': {
    mutate: SERVER_STATEMENTS,
    tests: [
      'test/unit/ownership/{statements,history-witness,owner-existence,quotas}.spec.ts',
      'test/e2e/ownership/{owners-that-are-not,quotas}.spec.ts',
    ],
    databases: `sqlite,${SERVERS}`,
  },
  'task-queue': {
    mutate: ['lib/task-queue/*.ts'],
    tests: [
      'test/unit/task-queue/*.spec.ts',
      'test/unit/validation/{undecorated-routes,carries-transfer-ownership,schema/schema-routes}.spec.ts',
      'test/unit/diagnostics/*.spec.ts',
      'test/e2e/task-queue/routes.spec.ts',
    ],
    more: ['test/unit/ownership/ownership-transfer.task.spec.ts', 'test/e2e/joining/joining.spec.ts'],
  },
  'unit-of-work': {
    mutate: [
      'lib/unit-of-work/!(sqlite-lease|commit-outcome|database-fault).ts',
      'lib/unit-of-work/dialects/!(postgres*|mysql*|pg-query).ts',
    ],
    tests: [
      'test/unit/unit-of-work/!(sqlite-!(connection)|commit-outcome|broken-connections|server-restarts|named-statements|postgres-client|begin-with).spec.ts',
      'test/unit/diagnostics/*.spec.ts',
    ],
    more: [
      'test/unit/unit-of-work/{sqlite-lease,commit-outcome,broken-connections,begin-with,doomed,retry,nesting,joining,query-runner,deadline}.spec.ts',
    ],
  },
  lease: {
    mutate: ['lib/unit-of-work/one-connection/sqlite-lease.ts'],
    tests: ['test/unit/unit-of-work/{sqlite-*,query-runner,joining,nesting,data-sources,late-work}.spec.ts'],
    more: ['test/unit/unit-of-work/{data-sources,joining}.spec.ts'],
  },
  servers: {
    mutate: [
      'lib/unit-of-work/transaction/commit-outcome.ts',
      'lib/unit-of-work/transaction/database-fault.ts',
      'lib/unit-of-work/dialects/postgres*.ts',
      'lib/unit-of-work/dialects/mysql*.ts',
      'lib/unit-of-work/dialects/pg-query.ts',
    ],
    tests: [
      'test/unit/unit-of-work/{database-fault,dialects,unacknowledged-commits,commit-outcome,broken-connections}.spec.ts',
      'test/unit/unit-of-work/{postgres-client,named-statements,begin-with,doomed,retry,nesting,deadline}.spec.ts',
    ],
    databases: SERVERS,
  },
};
const LOWEST = 85;

const reportOf = (run) => `reports/mutation/${run}.json`;

/** The mutants of a report, each with a key that is the same in another. */
function mutantsOf(run) {
  if (!existsSync(reportOf(run))) return [];
  const { files } = JSON.parse(readFileSync(reportOf(run), 'utf8'));
  return Object.entries(files).flatMap(([path, { mutants }]) =>
    mutants.map(({ status, location, replacement, mutatorName }) => {
      return { path, status, location, key: JSON.stringify([path, location, mutatorName, replacement]) };
    }),
  );
}

const isFound = ({ status }) => status === 'Killed' || status === 'Timeout';
const isMissed = ({ status }) => status === 'Survived' || status === 'NoCoverage';

function stryker(run, mutate, tests, databases) {
  const env = { ...process.env, FILES_TEST_DATABASES: databases, MUTATION_GROUP: run, MUTATION_TESTS: tests.join(' ') };
  const { status } = spawnSync('npx', ['stryker', 'run', '--mutate', mutate.join(',')], { env, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(GROUPS)) {
  const { mutate, tests, more, databases = 'sqlite' } = GROUPS[name];
  for (const run of [name, `${name}.more`]) rmSync(reportOf(run), { force: true });
  stryker(name, mutate, tests, databases);
  // Stryker counts columns from 0 here, and from 1 in its report.
  const missed = mutantsOf(name)
    .filter(isMissed)
    .map(
      ({ path, location: { start, end } }) => `${path}:${start.line}:${start.column - 1}-${end.line}:${end.column - 1}`,
    );
  if (more && missed.length > 0) stryker(`${name}.more`, [...new Set(missed)], more, 'postgres');
}

const found = new Map();
for (const one of Object.keys(GROUPS).flatMap((name) => [...mutantsOf(name), ...mutantsOf(`${name}.more`)])) {
  if (isFound(one) || isMissed(one)) found.set(one.key, { path: one.path, is: found.get(one.key)?.is || isFound(one) });
}
for (const room of ['ownership', 'task-queue', 'unit-of-work', '']) {
  const mutants = [...found.values()].filter(({ path }) => path.startsWith(`lib/${room}`));
  const score = (100 * mutants.filter(({ is }) => is).length) / mutants.length;
  process.stdout.write(`lib/${room}: ${score.toFixed(1)} % of ${mutants.length} mutants are found\n`);
  if (room === '' && score < LOWEST) process.exitCode = 1;
}
