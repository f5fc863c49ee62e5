/** The reply of PGlite, or of `pg`, to a statement. */
interface Answer {
  readonly command?: string;
  readonly rows: readonly { readonly version?: unknown }[];
  readonly rowCount?: number | null;
  readonly affectedRows?: number;
}

/** The connection that TypeORM's driver for PostgreSQL gets from its pool. */
export interface PostgresConnection {
  query(sql: string, parameters?: unknown[]): Promise<Answer>;
  setMaxListeners?(count: number): void;
  readonly processID?: number | null;
}

// Emscripten has but one process: https://emscripten.org
const ITS_PROCESS = 42;

const known = new WeakMap<PostgresConnection, Promise<boolean>>();

/**
 * Whether the database is PGlite, within this process or behind a socket: a PostgreSQL that has one session for all its
 * connections. Only a server that could be it is asked.
 */
export function isPglite(connection: PostgresConnection): Promise<boolean> {
  const { processID = ITS_PROCESS } = connection;
  if (processID !== ITS_PROCESS) return Promise.resolve(false);
  let answer = known.get(connection);
  if (!answer) {
    answer = ask(connection);
    known.set(connection, answer);
    answer.catch(() => known.delete(connection));
  }
  return answer;
}

async function ask(connection: PostgresConnection): Promise<boolean> {
  const answer = await connection.query('SELECT version() AS version');
  const is = /\bemcc\b|emscripten/i.test(String(answer.rows[0]?.version));
  if (is && answer.command === undefined) nameCommands(connection);
  return is;
}

/** PGlite before 0.5.5 does not report the command of a statement, and so not whether a COMMIT was a ROLLBACK. */
function nameCommands(connection: PostgresConnection): void {
  const query = connection.query.bind(connection);
  connection.query = async (sql, parameters) => {
    // It fails in a failed transaction, and outside of a transaction.
    const failed = sql === 'COMMIT' && (await query('SAVEPOINT nestjs_files').then(() => false, isFailed));
    const answer = await query(failed ? 'ROLLBACK' : sql, parameters);
    const command = failed ? 'ROLLBACK' : /^\s*(\w*)/.exec(sql)?.[1]?.toUpperCase();
    const { rows, affectedRows } = answer;
    return { ...answer, command, rowCount: affectedRows || rows.length } as Answer;
  };
}

function isFailed(error: unknown): boolean {
  return (error as { code?: unknown }).code === '25P02';
}
