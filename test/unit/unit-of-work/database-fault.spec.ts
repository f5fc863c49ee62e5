import { QueryFailedError, QueryRunnerAlreadyReleasedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import {
  type DatabaseFault,
  databaseFault,
  isConnectionLost,
  isTransient,
} from '../../../lib/unit-of-work/transaction/database-fault.js';

/** What a driver throws. */
const thrown = (properties: object, message = 'refused') => Object.assign(new Error(message), properties);

/** What TypeORM makes of it. */
const failed = (properties: object, message?: string) =>
  new QueryFailedError('SELECT 1', [], thrown(properties, message));

const faults: [DatabaseFault, object[]][] = [
  [
    'unique',
    [
      { code: '23505' },
      { code: 'ER_DUP_ENTRY', errno: 1062 },
      { code: 'SQLITE_CONSTRAINT_UNIQUE' },
      { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' },
    ],
  ],
  ['foreign-key', [{ code: '23503' }, { errno: 1451 }, { errno: 1452 }, { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' }]],
  ['deadlock', [{ code: '40P01' }, { code: 'ER_LOCK_DEADLOCK', errno: 1213 }]],
  ['serialization', [{ code: '40001' }, { errno: 1020 }, { code: 'SQLITE_BUSY_SNAPSHOT' }]],
  [
    'lock-timeout',
    [{ code: '55P03' }, { errno: 1205 }, { errno: 3572 }, { code: 'SQLITE_BUSY' }, { code: 'SQLITE_BUSY_RECOVERY' }],
  ],
  [
    'read-only',
    [{ code: '25006' }, { errno: 1290 }, { errno: 1792 }, { errno: 1836 }, { code: 'SQLITE_READONLY_DBMOVED' }],
  ],
  ['too-many-connections', [{ code: '53300' }, { errno: 1040 }, { errno: 1203 }]],
  [
    'lost',
    [
      { code: '08006' },
      { code: '57P01' },
      { code: '57P05' },
      { code: 'ECONNRESET' },
      { code: 'ECONNREFUSED' },
      { code: 'EPIPE' },
      { code: 'ETIMEDOUT' },
      { code: 'PROTOCOL_CONNECTION_LOST' },
      { errno: 1053 },
      { errno: 1080 },
      { errno: 1927 },
      { fatal: true },
    ],
  ],
  [
    'other',
    [
      {},
      { code: '42601' },
      { code: '57014' },
      { code: 'ER_PARSE_ERROR', errno: 1064 },
      { code: 'SQLITE_CORRUPT' },
      { code: 'ENOENT', errno: -2 },
      { code: 'AN_EPIPE' },
      { code: 40001 },
      { fatal: false },
      { fatal: 'no' },
    ],
  ],
];

describe('the meaning of a database error', () => {
  it.each(faults)('is "%s", from a driver and from TypeORM', (fault, errors) => {
    for (const error of errors) {
      expect([error, databaseFault(thrown(error)), databaseFault(failed(error))]).toEqual([error, fault, fault]);
    }
  });

  it.each([
    'Connection terminated unexpectedly',
    'Client has encountered a connection error and is not queryable',
    'Query read timeout',
    "Can't add new command when connection is in closed state",
    'Connection is closed.',
  ])('is "lost" where a driver says so in words alone: %s', (message) => {
    expect(databaseFault(thrown({}, message))).toBe('lost');
    expect(databaseFault(failed({ code: 'ERR' }, message))).toBe('lost');
  });

  it('is not read from the text of an error with a code, which may quote a statement', () => {
    expect(databaseFault(thrown({ code: '42703' }, 'column "connection terminated" does not exist'))).toBe('other');
    expect(databaseFault(thrown({ code: 'SQLITE_ERROR' }, 'no such column: connection is closed'))).toBe('other');
  });

  it('is "lost" of a query runner that TypeORM has released, and of no other thing of that name', () => {
    const error = new QueryRunnerAlreadyReleasedError();
    expect(databaseFault(error)).toBe('lost');
    expect(databaseFault({ name: error.name })).toBe('other');
  });

  it('is "other" for an error of no database', () => {
    expect([undefined, null, 'lost', 1213, {}, new Error('no')].map((error) => databaseFault(error))).toEqual(
      Array(6).fill('other'),
    );
  });

  it('is that of the error itself where it has no driver’s error', () => {
    for (const driverError of [null, undefined, 'text']) {
      expect(databaseFault({ driverError, code: '40001' })).toBe('serialization');
    }
  });
});

describe('an error after which the same work may succeed', () => {
  it.each(faults)('is one that means a deadlock or a serialization failure: "%s"', (fault, errors) => {
    const isExpected = fault === 'deadlock' || fault === 'serialization';
    for (const error of errors) expect([error, isTransient(failed(error))]).toEqual([error, isExpected]);
  });

  it('is one with such a cause, however deep', () => {
    const cause = new Error('middle', { cause: failed({ code: '40P01' }) });
    expect(isTransient(new Error('outer', { cause }))).toBe(true);
    expect(isTransient(new Error('outer', { cause: new Error('inner') }))).toBe(false);
  });

  it('is none whose causes lead nowhere, or round in a circle', () => {
    const circle: Error & { cause?: unknown } = new Error('circle');
    circle.cause = new Error('half way', { cause: circle });
    expect([circle, new Error('no', { cause: null }), undefined, null].map((error) => isTransient(error))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});

describe('an error of class 08', () => {
  it.each([
    [false, { code: '08P01', severity: 'ERROR' }],
    [false, { code: '08006', severity: 'FEHLER' }],
    [true, { code: '08P01', severity: 'FATAL' }],
    [true, { code: '08006', severity: 'PANIC' }],
    [true, { code: '08006' }],
    [true, { code: '57P01', severity: 'ERROR' }],
    [true, { code: 'ECONNRESET' }],
    [false, { code: '42601', severity: 'FATAL' }],
    [false, {}],
  ])('means a lost connection (%s) only where the server has ended it: %o', (isLost, error) => {
    expect([isConnectionLost(thrown(error)), isConnectionLost(failed(error))]).toEqual([isLost, isLost]);
  });
});
