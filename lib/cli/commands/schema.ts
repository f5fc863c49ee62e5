import type { DataSource } from 'typeorm';
import { FILES_MIGRATIONS } from '../../migrations/files-migrations.js';
import { differencesSql, FILES_TABLES, pendingMigrations, tablesSql } from '../../migrations/files-schema.js';
import { runMigrations } from '../../migrations/run-migrations.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { type Command, type OptionValues, UsageError } from '../command.js';
import type { Answer } from '../command.js';
import type { Output } from '../output.js';

type Entities = Parameters<typeof tablesSql>[1];

export const schema: Command = {
  name: 'schema',
  summary: "Prints the statements that create the library's tables, compares the database with them, or migrates it",
  example: 'nestjs-files schema --check',
  options: {
    check: { kind: 'flag', help: 'compare the tables of the database, and print the statements that they lack' },
    migrate: { kind: 'flag', help: "run the pending migrations, the library's and the application's" },
    'dry-run': { kind: 'flag', help: 'with --migrate: name the pending migrations, and change nothing' },
  },
  worksWithoutTables: true,
  async run({ app, options, out }) {
    assertOneOf(options);
    const { dataSource } = app.get(Transactor, { strict: false });
    const entities = app.get<Entities>(FILES_TABLES, { strict: false });
    if (options['migrate']) return migrate(dataSource, options['dry-run'] === true, out);
    const statements = options['check']
      ? await differencesSql(dataSource, entities)
      : await tablesSql(dataSource, entities);
    for (const sql of statements) await out.result({ sql }, `${sql};`);
    if (!options['check']) return 0;
    out.note(
      statements.length === 0
        ? 'The tables are as they have to be'
        : `The tables differ. Run the migrations: nestjs-files schema --migrate`,
    );
    return statements.length === 0 ? 0 : 1;
  },
};

function assertOneOf(options: OptionValues): void {
  if (options['check'] && options['migrate'])
    throw new UsageError('--check and --migrate cannot be combined. Use one of them.');
  if (options['dry-run'] && !options['migrate']) throw new UsageError('--dry-run belongs to --migrate.');
}

async function migrate(dataSource: DataSource, isDry: boolean, out: Output): Promise<Answer> {
  const configured = new Set<unknown>(dataSource.migrations.map((migration) => migration.constructor));
  const missing = FILES_MIGRATIONS.filter((migration) => !configured.has(migration));
  if (missing.length > 0)
    throw new UsageError(
      `The data source has no migration ${missing.map(({ name }) => name).join(', ')}. Add the library's: migrations: [...FILES_MIGRATIONS, …].`,
    );
  if (isDry) {
    const pending = await pendingMigrations(dataSource);
    for (const name of pending) await out.result({ migration: name, pending: true }, `pending: ${name}`);
    out.note(`${pending.length} migrations would be run`);
    return 0;
  }
  const done = await runMigrations(dataSource);
  for (const { name } of done) await out.result({ migration: name, pending: false }, `done: ${name}`);
  out.note(`${done.length} migrations were run`);
  return 0;
}
