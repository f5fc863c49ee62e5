import type { DataSource, EntityManager } from 'typeorm';
import { dialectOf } from '../../unit-of-work/dialects/dialect-of.js';
import type { DatabaseFamily } from '../../unit-of-work/dialects/sql-dialect.js';
import { dataSourceOf, keepWith, keptWith } from '../../unit-of-work/typeorm/data-source.js';
import { sendSql } from '../../unit-of-work/typeorm/send-sql.js';
import { tableNames } from '../../unit-of-work/typeorm/table-names.js';
import type { NewJob } from '../job-engine.js';
import { QueuedJob } from './queued-job.entity.js';

const COLUMNS = ['id', 'name', 'key', 'data', 'dueAt', 'createdAt'] as const;

/** A job as it is written. */
type Row = Omit<NewJob, 'handler' | 'dueAt' | 'createdAt'> & { readonly dueAt: number; readonly createdAt: number };

/** Writes the rows as SQL with its parameters. */
type Statement = (rows: readonly Row[]) => readonly [sql: string, parameters: readonly unknown[]];

const STATEMENT = Symbol('nestjs-files:write-jobs');

/** Writes jobs by one statement, however many there are. One whose key is there already is left out. */
export async function writeJobs(manager: EntityManager, jobs: readonly NewJob[]): Promise<void> {
  // All units write them in the order of the keys. Otherwise two units could wait for each other.
  const rows = jobs
    .toSorted((one, other) => compare(one.name, other.name) || compare(one.key ?? '', other.key ?? ''))
    .map(({ dueAt, createdAt, handler: _, ...job }) => ({
      ...job,
      dueAt: dueAt.getTime(),
      createdAt: createdAt.getTime(),
    }));
  const [sql, parameters] = statementFor(dataSourceOf(manager))(rows);
  await sendSql(manager, sql, parameters);
}

function statementFor(dataSource: DataSource): Statement {
  const known = keptWith<Statement>(dataSource, STATEMENT) ?? makeStatement(dataSource);
  keepWith(dataSource, STATEMENT, known);
  return known;
}

function makeStatement(dataSource: DataSource): Statement {
  const { table, column } = tableNames<QueuedJob>(dataSource, QueuedJob);
  const into = [...COLUMNS, 'state', 'attempts'] as const;
  const insert = `INSERT INTO ${table} (${into.map((one) => column(one)).join(', ')})`;
  return STATEMENTS[dialectOf(dataSource).family](insert, `${column('id')} = ${table}.${column('id')}`);
}

const STATEMENTS: Readonly<Record<DatabaseFamily, (insert: string, noChange: string) => Statement>> = {
  postgres: postgresStatement,
  mysql: mysqlStatement,
  sqlite: sqliteStatement,
  other: sqliteStatement,
};

function postgresStatement(insert: string): Statement {
  const row = 'r ("id" uuid, "name" text, "key" text, "data" json, "dueAt" bigint, "createdAt" bigint)';
  const values = COLUMNS.map((one) => `r."${one}"`).join(', ');
  const sql = `${insert} SELECT ${values}, 'open', 0 FROM json_to_recordset($1::json) AS ${row} ON CONFLICT DO NOTHING`;
  return (rows) => [sql, [JSON.stringify(rows)]];
}

/** `noChange` sets a column to what it is: an IGNORE would also pass over values that are too long. */
function mysqlStatement(insert: string, noChange: string): Statement {
  return (rows) => {
    // The driver writes the values into the text, so their number has no limit.
    const values = rows.map(() => "(?, ?, ?, ?, ?, ?, 'open', 0)").join(', ');
    const parameters = rows.flatMap(({ data, ...row }) =>
      COLUMNS.map((one) => (one === 'data' ? JSON.stringify(data) : row[one])),
    );
    return [`${insert} VALUES ${values} ON DUPLICATE KEY UPDATE ${noChange}`, parameters];
  };
}

function sqliteStatement(insert: string): Statement {
  const values = COLUMNS.map((one) => `json_extract(value, '$.${one}')`).join(', ');
  // Without the condition SQLite takes ON for that of a join.
  const sql = `${insert} SELECT ${values}, 'open', 0 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING`;
  return (rows) => [sql, [JSON.stringify(rows)]];
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
