import { getEventListeners } from 'node:events';
import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { UnitOfWork } from '../../../lib/unit-of-work/unit-of-work.js';
import { UnitAbortedError, UnitTimeoutError } from '../../../lib/errors/units.errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { HELD, holdTimers } from '../../support/held-time.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

Logger.overrideLogger(false);

const sleep: Record<string, string> = { postgres: 'SELECT pg_sleep(30)', mariadb: 'SELECT SLEEP(30)' };
const connectionId: Record<string, string> = {
  postgres: 'SELECT pg_backend_pid() AS id',
  mariadb: 'SELECT CONNECTION_ID() AS id',
};

describe.each(await reachableDatabases())('on $name with a pool of one, a unit', (database) => {
  const { kind } = database;
  const hasServer = kind in sleep;
  let app: NotesApp;
  let run: NotesApp['transactor']['run'];

  beforeAll(async () => {
    app = await openNotes(database, { poolSize: 1 });
    run = app.transactor.run.bind(app.transactor);
  });

  afterAll(() => app.database.close());

  beforeEach(() => app.clear());

  const never = () => new Promise<never>(() => undefined);

  it('is rolled back at its deadline', async () => {
    const pass = holdTimers();
    let undone = 0;
    const unit = run(
      async (current) => {
        current.afterRollback(() => undone++);
        await app.write('own');
        pass();
        await never();
      },
      { timeout: HELD },
    );
    await expect(unit).rejects.toBeInstanceOf(UnitTimeoutError);
    await expect(unit).rejects.toThrow(`The unit of work was still open after ${HELD} ms and was rolled back.`);
    expect(await app.saved()).toEqual([]);
    expect(undone).toBe(1);
  });

  it.each([Infinity, 2 ** 31])('runs without a deadline after %s milliseconds', async (timeout) => {
    const unit = run(
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        await app.write('own');
      },
      { timeout },
    );
    await unit;
    expect(await app.saved()).toEqual(['own']);
  });

  it('leaves a pool that works after its deadline', async () => {
    await expect(run(never, { timeout: 20 })).rejects.toBeInstanceOf(UnitTimeoutError);
    await app.write('plain');
    await run(() => app.write('unit'));
    expect(await app.saved()).toEqual(['plain', 'unit']);
  });

  it('is refused all statements after its deadline', async () => {
    const pass = holdTimers();
    const over = gate();
    let late: Promise<unknown> | undefined;
    const unit = run(
      async () => {
        await app.write('own');
        late = over.opened.then(() => app.write('late'));
        pass();
        await late;
      },
      { timeout: HELD },
    );
    await expect(unit).rejects.toBeInstanceOf(UnitTimeoutError);
    over.open();
    await expect(late).rejects.toMatchObject({ code: 'FILES_UNIT_ENDED' });
    expect(await app.saved()).toEqual([]);
  });

  it.runIf(hasServer)('does not wait at its deadline for a statement that hangs', async () => {
    const start = performance.now();
    const unit = run(() => app.dataSource.query(sleep[kind]!), { timeout: 50 });
    await expect(unit).rejects.toBeInstanceOf(UnitTimeoutError);
    await app.write('next');
    expect(performance.now() - start).toBeLessThan(25_000);
    expect(await app.saved()).toEqual(['next']);
  });

  it.runIf(hasServer)('gives the connection up that it had at its deadline', async () => {
    const pass = holdTimers();
    const id = () => app.dataSource.query(connectionId[kind]!);
    let own: unknown;
    const unit = run(
      async () => {
        own = await id();
        pass();
        await never();
      },
      { timeout: HELD },
    );
    await expect(unit).rejects.toBeInstanceOf(UnitTimeoutError);
    expect(own).toBeDefined();
    expect(await id()).not.toEqual(own);
  });

  it.runIf(hasServer)('keeps the connection that it had where it ends in time', async () => {
    const id = () => app.dataSource.query<unknown>(connectionId[kind]!);
    const own = await id();
    expect(await run(id)).toEqual(own);
    await expect(run(() => Promise.reject(new Error('undo')))).rejects.toThrow('undo');
    expect(await id()).toEqual(own);
  });

  it.runIf(!hasServer)('leaves no timer and no listener behind, however it ends', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const { signal } = new AbortController();
    await run(() => app.write('own'), { signal });
    await expect(run(() => Promise.reject(new Error('undo')), { signal })).rejects.toThrow('undo');
    expect([vi.getTimerCount(), getEventListeners(signal, 'abort')]).toEqual([0, []]);
  });

  it('waits for its connection no longer than its deadline, and gives it back when it comes', async () => {
    const holding = gate();
    const end = gate();
    const holder = run(async () => {
      await app.write('holder');
      holding.open();
      await end.opened;
    });
    await holding.opened;
    const late = run(() => app.write('own'), { timeout: 30 });
    await expect(late).rejects.toBeInstanceOf(UnitTimeoutError);
    await expect(late).rejects.toThrow('The unit of work waited 30 ms for a connection, and nothing was executed.');
    end.open();
    await holder;
    await run(() => app.write('next'), { timeout: 20_000 });
    await app.write('plain');
    expect(await app.saved()).toEqual(['holder', 'next', 'plain']);
  });

  it('is rolled back when its caller gives up', async () => {
    const caller = new AbortController();
    const unit = run(
      async () => {
        await app.write('own');
        caller.abort(new Error('the client went away'));
        await app.write('more');
      },
      { signal: caller.signal },
    );
    await expect(unit).rejects.toBeInstanceOf(UnitAbortedError);
    await expect(unit).rejects.toMatchObject({
      message: 'The unit of work was rolled back: its caller gave up before it was done.',
      cause: { message: 'the client went away' },
    });
    expect(await app.saved()).toEqual([]);
    await app.write('next');
    expect(await app.saved()).toEqual(['next']);
  });

  it('is rolled back when its caller gives up while it waits for something else', async () => {
    const caller = new AbortController();
    const unit = run(
      async () => {
        await app.write('own');
        queueMicrotask(() => caller.abort());
        await never();
      },
      { signal: caller.signal },
    );
    await expect(unit).rejects.toBeInstanceOf(UnitAbortedError);
    expect(await app.saved()).toEqual([]);
  });

  it('reports the first of several reasons', async () => {
    const caller = new AbortController();
    const unit = run(
      (current) => {
        current.abandon(new Error('first'));
        caller.abort(new Error('second'));
        return never();
      },
      { signal: caller.signal },
    );
    await expect(unit).rejects.toMatchObject({ code: 'FILES_UNIT_ABORTED', cause: { message: 'first' } });
  });

  it('does nothing when its caller had given up before', async () => {
    let ran = false;
    const unit = run(() => (ran = true), { signal: AbortSignal.abort() });
    await expect(unit).rejects.toBeInstanceOf(UnitAbortedError);
    expect(ran).toBe(false);
    await run(() => app.write('next'));
    expect(await app.saved()).toEqual(['next']);
  });

  it('is committed although its caller gives up when the COMMIT is under way', async () => {
    const caller = new AbortController();
    let begun: UnitOfWork | undefined;
    const beforeTransactionCommit = async () => {
      caller.abort();
      begun?.abandon(new Error('too late'));
      await new Promise(setImmediate);
    };
    app.dataSource.subscribers.push({ beforeTransactionCommit });
    const unit = run(
      async (current) => {
        await app.write('own');
        begun = current;
        return 'result';
      },
      { signal: caller.signal },
    );
    expect(await unit.finally(() => app.dataSource.subscribers.pop())).toBe('result');
    expect(caller.signal.aborted).toBe(true);
    expect(await app.saved()).toEqual(['own']);
  });

  it('may be committed or not when its COMMIT is still under way at its deadline', async () => {
    const pass = holdTimers();
    const beforeTransactionCommit = () => {
      pass();
      return never();
    };
    app.dataSource.subscribers.push({ beforeTransactionCommit });
    const effects: string[] = [];
    const unit = run(
      async (current) => {
        current.afterCommit(() => effects.push('committed'));
        current.afterRollback(() => effects.push('rolled back'));
        await app.write('own');
      },
      { timeout: HELD },
    );
    await expect(unit.finally(() => app.dataSource.subscribers.pop())).rejects.toMatchObject({
      code: 'FILES_COMMIT_OUTCOME_UNKNOWN',
      cause: { code: 'FILES_UNIT_TIMEOUT' },
    });
    expect(effects).toEqual([]);
    await app.write('next');
    expect(await app.saved()).toEqual(['next']);
  });

  it('is ended by its root alone, whatever a nested one asks for', async () => {
    await run(() =>
      run(async (nested) => {
        nested.abandon(new Error('no'));
        await app.write('own');
      }),
    );
    expect(await app.saved()).toEqual(['own']);
  });

  it('stays committed when its caller gives up afterwards, and listens no more', async () => {
    const caller = new AbortController();
    const listeners = () => getEventListeners(caller.signal, 'abort').length;
    await run(
      async () => {
        await app.write('own');
        expect(listeners()).toBe(1);
      },
      { signal: caller.signal },
    );
    expect(listeners()).toBe(0);
    caller.abort();
    expect(await app.saved()).toEqual(['own']);
  });
});
