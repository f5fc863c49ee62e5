import type { DataSource, EntityManager } from 'typeorm';
import { dataSourceOf, familyOf, keepWith, keptWith } from '../../unit-of-work/typeorm/data-source.js';
import { sendSql } from '../../unit-of-work/typeorm/send-sql.js';
import { tableNames } from '../../unit-of-work/typeorm/table-names.js';
import type { NewJob } from '../job-engine.js';
import { QueuedJob } from './queued-job.entity.js';

const COLUMNS = ['id', 'name', 'key', 'data', 'dueAt', 'createdAt'] as const;

/** The statement, around the values where its text has them. */
interface Statement {
  readonly before: string;
  readonly after: string;
}

const STATEMENT = Symbol('nestjs-files:write-jobs');

/** Writes jobs by one statement, however many there are. One whose key is there already is left out. */
export async function writeJobs(manager: EntityManager, jobs: readonly NewJob[]): Promise<void> {
  const dataSource = dataSourceOf(manager);
  const { before, after } = statementFor(dataSource);
  // All units write them in the order of the keys. Otherwise two units could wait for each other.
  const rows = jobs
    .toSorted((one, other) => compare(one.name, other.name) || compare(one.key ?? '', other.key ?? ''))
    .map(({ dueAt, createdAt, handler: _, ...job }) => ({
      ...job,
      dueAt: dueAt.getTime(),
      createdAt: createdAt.getTime(),
    }));
  if (familyOf(dataSource) !== 'mysql') {
    await sendSql(manager, before + after, [JSON.stringify(rows)]);
    return;
  }
  // The driver writes the values into the text, so their number has no limit.
  const values = rows.map(() => "(?, ?, ?, ?, ?, ?, 'open', 0)").join(', ');
  const parameters = rows.flatMap(({ data, ...row }) =>
    COLUMNS.map((one) => (one === 'data' ? JSON.stringify(data) : row[one])),
  );
  await sendSql(manager, before + values + after, parameters);
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
  const skip = 'ON CONFLICT DO NOTHING';
  switch (familyOf(dataSource)) {
    case 'postgres': {
      const row = 'r ("id" uuid, "name" text, "key" text, "data" json, "dueAt" bigint, "createdAt" bigint)';
      const values = COLUMNS.map((one) => `r."${one}"`).join(', ');
      return {
        before: `${insert} SELECT ${values}, 'open', 0 FROM json_to_recordset($1::json) AS ${row} `,
        after: skip,
      };
    }
    case 'mysql':
      // An IGNORE would also pass over values that are too long.
      return {
        before: `${insert} VALUES `,
        after: ` ON DUPLICATE KEY UPDATE ${column('id')} = ${table}.${column('id')}`,
      };
    default: {
      const values = COLUMNS.map((one) => `json_extract(value, '$.${one}')`).join(', ');
      // Without the condition SQLite takes ON for that of a join.
      return { before: `${insert} SELECT ${values}, 'open', 0 FROM json_each(?) WHERE true `, after: skip };
    }
  }
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
