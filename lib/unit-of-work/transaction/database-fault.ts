import { QueryRunnerAlreadyReleasedError } from 'typeorm';

/** The meaning of a database error, the same for all drivers. */
export type DatabaseFault =
  | 'unique'
  | 'foreign-key'
  | 'deadlock'
  | 'serialization'
  | 'lock-timeout'
  | 'read-only'
  | 'too-many-connections'
  | 'lost'
  | 'invalid-value'
  | 'other';

const POSTGRES: Record<string, DatabaseFault> = {
  '23505': 'unique',
  '23503': 'foreign-key',
  '40P01': 'deadlock',
  '40001': 'serialization',
  '55P03': 'lock-timeout',
  '25006': 'read-only',
  '53300': 'too-many-connections',
  '22P02': 'invalid-value',
  '22003': 'invalid-value',
};

const MYSQL: Record<number, DatabaseFault> = {
  1020: 'serialization',
  1040: 'too-many-connections',
  1053: 'lost',
  1062: 'unique',
  1080: 'lost',
  1203: 'too-many-connections',
  1205: 'lock-timeout',
  1213: 'deadlock',
  1290: 'read-only',
  1451: 'foreign-key',
  1452: 'foreign-key',
  1792: 'read-only',
  1836: 'read-only',
  1927: 'lost',
  3572: 'lock-timeout',
};

const SQLITE: [prefix: string, fault: DatabaseFault][] = [
  ['SQLITE_BUSY_SNAPSHOT', 'serialization'],
  ['SQLITE_BUSY', 'lock-timeout'],
  ['SQLITE_CONSTRAINT_UNIQUE', 'unique'],
  ['SQLITE_CONSTRAINT_PRIMARYKEY', 'unique'],
  ['SQLITE_CONSTRAINT_FOREIGNKEY', 'foreign-key'],
  ['SQLITE_READONLY', 'read-only'],
];

const LOST_CODE = /^(08...|57P0[1-5]|ECONN\w+|EPIPE|ETIMEDOUT|PROTOCOL_\w+)$/;
// pg and mysql2 report some broken connections without a code.
const LOST_MESSAGE = /connection terminated|not queryable|read timeout|closed state|connection is closed/i;

// https://www.postgresql.org/docs/current/runtime-config-logging.html#RUNTIME-CONFIG-SEVERITY-LEVELS
const ENDS_CONNECTION = new Set(['FATAL', 'PANIC']);

interface DriverError {
  code?: string | number;
  severity?: string;
  errno?: number;
  fatal?: boolean;
  message?: string;
  driverError?: unknown;
}

/** Classifies an error of TypeORM or of a driver; errors that do not come from a database are 'other'. */
export function databaseFault(error: unknown): DatabaseFault {
  const cause = driverErrorOf(error);
  const { code, errno } = cause;
  const text = typeof code === 'string' ? code : '';
  if (text.startsWith('SQLITE_')) return SQLITE.find(([prefix]) => text.startsWith(prefix))?.[1] ?? 'other';
  if (POSTGRES[text]) return POSTGRES[text];
  if (errno !== undefined && MYSQL[errno]) return MYSQL[errno];
  return isLoss(text, cause) || isReleased(error) ? 'lost' : 'other';
}

function isLoss(code: string, { fatal, message }: DriverError): boolean {
  return fatal === true || LOST_CODE.test(code) || (!SQLSTATE.test(code) && LOST_MESSAGE.test(message ?? ''));
}

/**
 * Whether the connection is gone, so that nothing more can be done on it. PostgreSQL also gives codes of class 08 to
 * errors of one statement: a NUL in its text, a wrong number of parameters, another server that a foreign table is on.
 */
export function isConnectionLost(error: unknown): boolean {
  if (databaseFault(error) !== 'lost') return false;
  const { code, severity } = driverErrorOf(error);
  const isOfStatement = String(code).startsWith('08') && severity !== undefined && !ENDS_CONNECTION.has(severity);
  return !isOfStatement;
}

/** Whether the same work may succeed when it is run once more. */
export function isTransient(error: unknown): boolean {
  return causes(error).some((cause) => ['deadlock', 'serialization'].includes(databaseFault(cause)));
}

const SQLSTATE = /^[0-9A-Z]{5}$/;

function driverErrorOf(error: unknown): DriverError {
  if (typeof error !== 'object' || error === null) return {};
  const { driverError } = error as DriverError;
  return (typeof driverError === 'object' && driverError !== null ? driverError : error) as DriverError;
}

// TypeORM releases a runner whose idle connection broke; the next error says only that it was released.
function isReleased(error: unknown): boolean {
  return error instanceof QueryRunnerAlreadyReleasedError;
}

function causes(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let at = error; !chain.includes(at); at = at instanceof Error ? at.cause : undefined) {
    chain.push(at);
  }
  return chain;
}
