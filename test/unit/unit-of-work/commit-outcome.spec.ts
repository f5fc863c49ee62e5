import { Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CommitLostError, CommitOutcomeUnknownError } from '../../../lib/errors/units.errors.js';
import type { CommitOutcome } from '../../../lib/unit-of-work/transaction/commit-outcome.js';
import type { UnitOptions } from '../../../lib/unit-of-work/unit-options.js';
import type { UnitOfWork } from '../../../lib/unit-of-work/unit-of-work.js';
import { reachableDatabases } from '../../support/databases.js';
import { HELD, holdTimers, hurryClock } from '../../support/held-time.js';
import { proxied } from '../../support/proxied-database.js';
import type { TcpProxy } from '../../support/tcp-proxy.js';
import { Note } from '../../support/unit-entities.js';
import { appOn, type NotesApp } from '../../support/unit-notes.js';

Logger.overrideLogger(false);

const COMMIT = /^COMMIT/i;

describe.each(await reachableDatabases('postgres', 'mariadb'))('on $name, a COMMIT whose reply is lost', (database) => {
  let app: NotesApp;
  let proxy: TcpProxy;
  let happened: string[];

  beforeAll(async () => {
    const open = await proxied(database).open({ entities: [Note], poolSize: 4 });
    proxy = open.proxy;
    app = appOn(open.dataSource, open);
  });

  afterAll(() => app.database.close());

  beforeEach(async () => {
    proxy.disarm();
    await app.clear();
    happened = [];
  });

  const witness = async (manager: EntityManager): Promise<CommitOutcome> => {
    const isTaken = await manager.insert(Note, { id: 'own' }).then(
      () => false,
      () => true,
    );
    return isTaken ? 'committed' : 'rolled back';
  };

  /** A unit that saves a note, and says what became of it. */
  function save(
    testify: (unit: UnitOfWork) => void = (unit) => unit.addWitness(witness),
    options: UnitOptions = {},
  ): Promise<string> {
    return app.transactor.run(async (unit) => {
      happened.push('ran');
      unit.afterCommit(() => happened.push('committed'));
      unit.afterRollback(() => happened.push('rolled back'));
      await app.write('own');
      testify(unit);
      return 'result';
    }, options);
  }

  it.each(['reply', 'late', 'hang'] as const)('succeeds when the cut is "%s", since it was done', async (cut) => {
    const pass = holdTimers();
    proxy.arm({ cut, at: COMMIT });
    const unit = app.transactor.run(
      async (current) => {
        current.afterCommit(() => happened.push('committed'));
        await app.write('own');
        current.addWitness(witness);
        return 'result';
      },
      { timeout: HELD },
    );
    await expect.poll(() => proxy.fired).toBe(true);
    if (cut === 'hang') pass();
    expect(await unit).toBe('result');
    expect(happened).toEqual(['committed']);
    expect(await app.saved()).toEqual(['own']);
  });

  it('fails when it never reached the server, and may be repeated', async () => {
    proxy.arm({ cut: 'before', at: COMMIT });
    await expect(save()).rejects.toBeInstanceOf(CommitLostError);
    expect(happened).toEqual(['ran', 'rolled back']);
    expect(await app.saved()).toEqual([]);
    expect(await save()).toBe('result');
  });

  it('succeeds or fails, as the saved rows say, when it is cut the moment it is sent', async () => {
    for (let round = 0; round < 10; round++) {
      await app.clear();
      happened = [];
      proxy.arm({ cut: 'sent', at: COMMIT });
      const outcome = await save().catch((error: unknown) => error);
      const saved = await app.saved();
      expect(happened).toEqual(['ran', saved.length === 1 ? 'committed' : 'rolled back']);
      if (saved.length === 1) expect(outcome).toBe('result');
      else expect(outcome).toBeInstanceOf(CommitLostError);
    }
  });

  it('fails as unknown where no witness can tell: no effect runs, and it is never repeated', async () => {
    const nobody = () => undefined;
    const dumb = (unit: UnitOfWork) => unit.addWitness(() => Promise.resolve(undefined));
    const failing = (unit: UnitOfWork) => unit.addWitness(() => Promise.reject(new Error('broken')));
    for (const testify of [nobody, dumb, failing]) {
      happened = [];
      proxy.arm({ cut: 'reply', at: COMMIT });
      await expect(save(testify, { retry: 3 })).rejects.toBeInstanceOf(CommitOutcomeUnknownError);
      expect(happened).toEqual(['ran']);
      expect(await app.saved()).toEqual(['own']);
      await app.clear();
    }
  });

  it('is asked about until the database can be reached again', async () => {
    proxy.arm({ cut: 'reply', at: COMMIT, refuse: true });
    const unit = save();
    setTimeout(() => proxy.disarm(), 300);
    expect(await unit).toBe('result');
  });

  it('fails as unknown while the database cannot be reached', async () => {
    hurryClock(() => proxy.fired);
    proxy.arm({ cut: 'reply', at: COMMIT, refuse: true });
    await expect(save()).rejects.toBeInstanceOf(CommitOutcomeUnknownError);
    expect(happened).toEqual(['ran']);
    expect(await app.saved()).toEqual(['own']);
  });

  const undone = new Error('undone');
  const fail = async (unit?: UnitOfWork) => {
    (unit ?? app.transactor.current())?.addWitness(() => Promise.resolve('rolled back'));
    throw undone;
  };
  const ways: [string, () => Promise<unknown>][] = [
    ['a nested unit', () => app.transactor.run(fail)],
    ['a nested transaction()', () => app.dataSource.transaction(() => fail())],
    [
      'a transaction begun by hand',
      async () => {
        const runner = app.dataSource.createQueryRunner();
        await runner.startTransaction();
        await fail().catch(() => undefined);
        await runner.rollbackTransaction();
        await runner.release();
      },
    ],
  ];

  it.each(ways)('asks no witness that was undone in %s', async (_way, nest) => {
    proxy.arm({ cut: 'reply', at: COMMIT });
    const unit = app.transactor.run(async (current) => {
      await nest().catch(() => undefined);
      await app.write('own');
      current.addWitness(witness);
      return 'result';
    });
    expect(await unit).toBe('result');
  });

  it('asks no witness from before a savepoint that the application rolled back to', async () => {
    proxy.arm({ cut: 'reply', at: COMMIT });
    const unit = app.transactor.run(async (current) => {
      await app.write('own');
      await app.dataSource.query('SAVEPOINT mine');
      current.addWitness(() => Promise.resolve('rolled back'));
      await app.dataSource.query('ROLLBACK TO SAVEPOINT mine');
    });
    await expect(unit).rejects.toBeInstanceOf(CommitOutcomeUnknownError);
  });

  it('leaves the effects of joined units undone when the transaction is the application’s own', async () => {
    proxy.arm({ cut: 'reply', at: COMMIT });
    await expect(app.dataSource.transaction(() => save())).rejects.toThrow();
    expect(happened).toEqual(['ran']);
    expect(await app.saved()).toEqual(['own']);
  });

  it('leaves a pool that works', async () => {
    for (const cut of ['before', 'sent', 'reply', 'hang'] as const) {
      await app.clear();
      proxy.arm({ cut, at: COMMIT });
      await app.transactor.run(() => app.write('lost'), { timeout: 200 }).catch(() => undefined);
      proxy.disarm();
    }
    await app.clear();
    await Promise.all(Array.from({ length: 12 }, (_, at) => app.transactor.run(() => app.write(`next ${at}`))));
    expect(await app.saved()).toHaveLength(12);
  });
});
