import { type DataSource, QueryRunnerAlreadyReleasedError, type QueryRunner } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { commitMayStand, type IsolationLevel, strongerIsolation } from '../../../lib/unit-of-work/dialects/dialect.js';
import { dialectOf } from '../../../lib/unit-of-work/dialects/dialect-of.js';

const lost = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
const deadlock = Object.assign(new Error('deadlock'), { code: 'ER_LOCK_DEADLOCK', errno: 1213 });
const lockTimeout = Object.assign(new Error('lock timeout'), { code: 'ER_LOCK_WAIT_TIMEOUT', errno: 1205 });
const changed = Object.assign(new Error('record has changed'), { code: 'ER_CHECKREAD', errno: 1020 });
const other = Object.assign(new Error('syntax'), { code: '42601' });

const dialect = (type: string) => dialectOf({ options: { type } } as DataSource);
const runner = {} as QueryRunner;

describe('the dialect of a database', () => {
  it('asks for the isolation that the database is known to need', () => {
    const asked = (type: string, requested?: IsolationLevel, configured?: IsolationLevel) =>
      dialect(type).isolation(requested, configured);
    for (const type of ['postgres', 'mysql', 'mariadb', 'mssql'])
      expect([type, asked(type, 'SERIALIZABLE'), asked(type, 'SERIALIZABLE', 'READ COMMITTED')]).toEqual([
        type,
        'SERIALIZABLE',
        'SERIALIZABLE',
      ]);
    for (const type of ['postgres', 'mysql', 'mariadb'])
      expect([asked(type), asked(type, undefined, 'SERIALIZABLE')]).toEqual(['READ COMMITTED', 'READ COMMITTED']);
    expect([asked('mssql'), asked('mssql', undefined, 'SERIALIZABLE')]).toEqual([undefined, undefined]);
    expect([asked('better-sqlite3', 'READ UNCOMMITTED'), asked('better-sqlite3')]).toEqual([undefined, undefined]);
  });

  it('knows the isolation of a transaction when none was asked for', () => {
    const levels = ['postgres', 'mysql', 'mssql', 'better-sqlite3'].map((type) => dialect(type).defaultIsolation);
    expect(levels).toEqual(['READ COMMITTED', 'READ COMMITTED', 'READ COMMITTED', 'SERIALIZABLE']);
  });

  it('takes sql.js for SQLite, whose driver does not tell whether it is in a transaction', () => {
    const sqljs = dialect('sqljs');
    expect([sqljs.family, sqljs.hasOneWriter, sqljs.defaultIsolation]).toEqual(['sqlite', true, 'READ COMMITTED']);
    expect(sqljs.endedTransaction(runner, undefined)).toBe(false);
  });

  it('knows which statements end a transaction', () => {
    const ending = (sql: string) =>
      ['postgres', 'mysql', 'mssql', 'better-sqlite3'].map((type) => dialect(type).endsTransaction(sql));
    expect(ending('COMMIT')).toEqual([true, true, true, true]);
    expect(ending('CREATE TABLE other (id int)')).toEqual([false, true, false, false]);
    expect(ending('SELECT 1')).toEqual([false, false, false, false]);
  });

  it('knows which errors leave no transaction', () => {
    const losing = (error: Error) =>
      ['postgres', 'mariadb', 'mssql'].map((type) => dialect(type).lostTransaction(runner, error));
    expect(losing(lost)).toEqual([true, true, true]);
    expect(losing(deadlock)).toEqual([false, true, false]);
    expect(losing(changed)).toEqual([false, true, false]);
    expect(losing(lockTimeout)).toEqual([false, true, false]);
    expect(losing(other)).toEqual([false, false, false]);
  });

  it('takes MySQL’s word for whether a statement has left the transaction', () => {
    const ended = (result: unknown) => dialect('mariadb').endedTransaction(runner, result);
    expect([{ raw: { serverStatus: 2 } }, { raw: { serverStatus: 3 } }].map(ended)).toEqual([true, false]);
    expect([{ raw: { serverStatus: 'idle' } }, { raw: {} }, { raw: null }, {}, undefined].map(ended)).toEqual(
      Array(5).fill(false),
    );
  });

  it('takes PostgreSQL’s word, as far as its client passes it on', () => {
    const ended = (databaseConnection?: object) =>
      dialect('postgres').endedTransaction({ databaseConnection } as unknown as QueryRunner, undefined);
    expect(['I', 'T', 'E'].map((status) => ended({ getTransactionStatus: () => status }))).toEqual([
      true,
      false,
      false,
    ]);
    expect([ended({}), ended()]).toEqual([false, false]);
  });

  it('gives connections up in the way of their drivers', async () => {
    const steps: unknown[] = [];
    const connection = { destroy: () => steps.push('destroyed') };
    const [mysql, unconnected] = [{ databaseConnection: connection }, {}];
    for (const one of [mysql, unconnected]) await dialect('mysql').destroy(one as unknown as QueryRunner);
    expect([mysql, unconnected]).toMatchObject([{ isReleased: true }, { isReleased: true }]);
    const releasePostgresConnection = ({ message }: Error) => Promise.resolve(void steps.push(message));
    const [held, waiting] = [
      { releasePostgresConnection, isReleased: true, releaseCallback: () => undefined },
      { releasePostgresConnection, isReleased: true },
    ];
    for (const one of [held, waiting]) await dialect('postgres').destroy(one as unknown as QueryRunner);
    expect([held.isReleased, waiting.isReleased]).toEqual([false, true]);
    const still = 'its transaction may still be open';
    expect(steps).toEqual(['destroyed', still, still]);
  });

  it('falls back to plain TypeORM for an unknown database', async () => {
    const steps: string[] = [];
    const step = (name: string) => () => Promise.resolve(void steps.push(name));
    const portable = dialect('mssql');
    await portable.begin(runner, step('begun'));
    await portable.ready(runner);
    expect(portable.endedTransaction(runner, undefined)).toBe(false);
    await portable.destroy({ release: step('released') } as unknown as QueryRunner);
    expect(steps).toEqual(['begun', 'released']);
  });
});

describe('an isolation', () => {
  it('is stronger than those before it', () => {
    const levels: IsolationLevel[] = [
      'READ UNCOMMITTED',
      'READ COMMITTED',
      'REPEATABLE READ',
      'SNAPSHOT',
      'SERIALIZABLE',
    ];
    for (const [at, requested] of levels.entries())
      expect(levels.map((actual) => strongerIsolation(requested, actual))).toEqual(
        levels.map((_, below) => below < at),
      );
  });

  it('is stronger than an unknown one, and never so when it is unknown itself', () => {
    expect([strongerIsolation('SERIALIZABLE'), strongerIsolation('READ UNCOMMITTED')]).toEqual([true, false]);
    expect(strongerIsolation('NO SUCH' as IsolationLevel, 'READ UNCOMMITTED')).toBe(false);
  });
});

describe('a COMMIT that was not acknowledged', () => {
  it('may stand if the connection was lost once it was sent, and only then', () => {
    const released = new QueryRunnerAlreadyReleasedError();
    expect([lost, released, other, undefined].map((error) => commitMayStand({ acknowledged: false, error }))).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });
});
