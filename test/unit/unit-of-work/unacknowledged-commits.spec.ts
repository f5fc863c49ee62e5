import { Logger } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { CommitLostError, CommitOutcomeUnknownError } from '../../../lib/errors/units.errors.js';
import type { Witness } from '../../../lib/unit-of-work/transaction/commit-outcome.js';
import type { UnitOptions } from '../../../lib/unit-of-work/unit-options.js';
import { reachableDatabases } from '../../support/databases.js';
import { HELD, holdTimers } from '../../support/held-time.js';
import { Note } from '../../support/unit-entities.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

Logger.overrideLogger(false);

const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

/** What becomes of a COMMIT on its way: it does not arrive, or its reply does not. */
type Loss = 'before' | 'reply';

// SQLite has no network to lose a COMMIT in. Whether servers are understood is tested in commit-outcome.spec.ts.
describe.each(await reachableDatabases('memory'))('on $name, a COMMIT that is not acknowledged', (database) => {
  let app: NotesApp;
  let happened: string[];

  beforeAll(async () => void (app = await openNotes(database)));
  afterAll(() => app.database.close());
  beforeEach(async () => {
    happened = [];
    await app.clear();
  });
  afterEach(() => {
    app.dataSource.subscribers.length = 0;
    vi.restoreAllMocks();
  });

  /** Loses the next COMMIT. */
  function lose(loss: Loss): void {
    const runners = Object.getPrototypeOf(app.dataSource.driver.createQueryRunner('master')) as QueryRunner;
    const { query } = runners;
    const lost = vi.spyOn(runners, 'query').mockImplementation(async function (
      this: QueryRunner,
      ...args: Parameters<typeof query>
    ) {
      if (args[0] !== 'COMMIT') return query.apply(this, args) as unknown;
      lost.mockRestore();
      if (loss === 'reply') await done(this);
      throw reset;
    });
  }

  async function done(runner: QueryRunner): Promise<void> {
    const connection = (await runner.connect()) as { exec(sql: string): void };
    connection.exec('COMMIT');
  }

  const seen: Witness = async (manager) =>
    (await manager.existsBy(Note, { id: 'own' })) ? 'committed' : 'rolled back';

  function save(witnesses: Witness[] = [seen], options: UnitOptions = {}): Promise<string> {
    return app.transactor.run(async (unit) => {
      happened.push('ran');
      unit.afterCommit(() => happened.push('committed'));
      unit.afterRollback(() => happened.push('rolled back'));
      await app.write('own');
      for (const witness of witnesses) unit.addWitness(witness);
      return 'result';
    }, options);
  }

  it('succeeds where a witness finds the rows of the unit', async () => {
    lose('reply');
    expect(await save()).toBe('result');
    expect(happened).toEqual(['ran', 'committed']);
    expect(await app.saved()).toEqual(['own']);
  });

  it('fails, with the cause, where a witness does not find them, and may be repeated', async () => {
    lose('before');
    const failed = save();
    await expect(failed).rejects.toBeInstanceOf(CommitLostError);
    await expect(failed).rejects.toMatchObject({ cause: reset });
    expect(happened).toEqual(['ran', 'rolled back']);
    expect(await app.saved()).toEqual([]);
    expect(await save()).toBe('result');
  });

  it('is decided by the first witness that can tell', async () => {
    const asked: string[] = [];
    const witness =
      (name: string, outcome?: 'committed' | 'rolled back'): Witness =>
      () => {
        asked.push(name);
        return Promise.resolve(outcome);
      };
    lose('reply');
    expect(await save([witness('dumb'), witness('first', 'committed'), witness('second', 'rolled back')])).toBe(
      'result',
    );
    expect(asked).toEqual(['dumb', 'first']);
  });

  it('fails as unknown without a witness, or where none can tell: no effect runs, and the work is not repeated', async () => {
    for (const witnesses of [[], [() => Promise.resolve(undefined)]]) {
      happened = [];
      await app.clear();
      lose('reply');
      let units = 0;
      app.dataSource.subscribers.push({ afterTransactionStart: () => void units++ });
      const failed = save(witnesses, { retry: 3 });
      await expect(failed).rejects.toBeInstanceOf(CommitOutcomeUnknownError);
      await expect(failed).rejects.toMatchObject({ cause: reset });
      expect(happened).toEqual(['ran']);
      expect(units).toBe(1 + witnesses.length);
      expect(await app.saved()).toEqual(['own']);
    }
  });

  it('keeps nothing that a witness writes', async () => {
    lose('reply');
    const writing: Witness = async (manager) => {
      await manager.insert(Note, { id: 'by the witness' });
      return 'committed';
    };
    expect(await save([writing])).toBe('result');
    expect(await app.saved()).toEqual(['own']);
  });

  it.each([
    ['are lost', 'ECONNRESET'],
    ['are too many', '53300'],
  ])('is asked about again while connections %s', async (_, code) => {
    let asked = 0;
    lose('reply');
    const reached: Witness = (manager) =>
      ++asked < 3 ? Promise.reject(Object.assign(new Error('unreachable'), { code })) : seen(manager);
    expect(await save([reached])).toBe('result');
    expect(asked).toBe(3);
  });

  it('fails as unknown where a witness fails, which is logged', async () => {
    const warned = vi.spyOn(Logger.prototype, 'warn').mockReset();
    lose('reply');
    await expect(save([() => Promise.reject(new Error('broken'))])).rejects.toBeInstanceOf(CommitOutcomeUnknownError);
    expect(warned.mock.calls).toEqual([['What became of a COMMIT could not be found out: Error: broken']]);
  });

  it('fails as unknown where the database cannot be reached for as long as the unit had', async () => {
    vi.spyOn(Logger.prototype, 'warn').mockReset();
    const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
    let asked = 0;
    lose('reply');
    const unreachable: Witness = () => {
      clock.mockReturnValue(++asked * 1_500);
      return Promise.reject(reset);
    };
    await expect(save([unreachable], { timeout: 4_000 })).rejects.toBeInstanceOf(CommitOutcomeUnknownError);
    expect(asked).toBe(3);
  });

  it('fails as unknown where a witness does not answer in the time that the unit had', async () => {
    vi.spyOn(Logger.prototype, 'warn').mockReset();
    // No time passes but that of the timers, so that the witness has as much as the unit.
    vi.spyOn(performance, 'now').mockReturnValue(0);
    const pass = holdTimers(4_000);
    lose('reply');
    const silent: Witness = () => new Promise(() => pass());
    await expect(save([silent], { timeout: 4_000 })).rejects.toBeInstanceOf(CommitOutcomeUnknownError);
  });

  it('ends as the witnesses say when the deadline cuts it', async () => {
    const pass = holdTimers();
    const beforeTransactionCommit = () => {
      app.dataSource.subscribers.pop();
      pass();
      return new Promise<never>(() => undefined);
    };
    app.dataSource.subscribers.push({ beforeTransactionCommit });
    await expect(save([seen], { timeout: HELD })).rejects.toMatchObject({ code: 'FILES_UNIT_TIMEOUT' });
    expect(happened).toEqual(['ran', 'rolled back']);
    expect(await app.saved()).toEqual([]);
  });

  it('ignores the witnesses of undone parts', async () => {
    const wrong: Witness = () => Promise.resolve('rolled back');
    lose('reply');
    const unit = app.transactor.run(async (current) => {
      const undone = app.transactor.run((nested) => {
        nested.addWitness(wrong);
        throw new Error('undo');
      });
      await undone.catch(() => undefined);
      await app.transactor.run((nested) => nested.addWitness(seen));
      await app.write('own');
      expect(current.isActive).toBe(true);
      return 'result';
    });
    expect(await unit).toBe('result');
  });

  it('fails as unknown once the application has rolled back to one of its savepoints', async () => {
    const warned = vi.spyOn(Logger.prototype, 'warn').mockReset();
    lose('reply');
    const unit = app.transactor.run(async (current) => {
      await app.write('own');
      await app.dataSource.query('SAVEPOINT mine');
      current.addWitness(seen);
      await app.dataSource.query('ROLLBACK TO SAVEPOINT mine');
    });
    await expect(unit).rejects.toBeInstanceOf(CommitOutcomeUnknownError);
    expect(warned).not.toHaveBeenCalled();
  });

  it('leaves effects undone that waited for either end', async () => {
    const nest = () =>
      app.transactor.run(async () => {
        const undone = app.transactor.run((nested) => {
          nested.afterRollback(() => happened.push('nested rolled back'));
          throw new Error('undo');
        });
        await undone.catch(() => undefined);
        await save([]);
      });
    lose('reply');
    await expect(nest()).rejects.toBeInstanceOf(CommitOutcomeUnknownError);
    await app.clear();
    lose('reply');
    await expect(app.dataSource.transaction(nest)).rejects.toBe(reset);
    expect(happened).toEqual(['ran', 'ran']);
  });

  it('fails the unit with the cause where the COMMIT cannot have been sent', async () => {
    const refused = new Error('refused');
    const beforeTransactionCommit = () => Promise.reject(refused);
    app.dataSource.subscribers.push({ beforeTransactionCommit });
    await expect(save()).rejects.toBe(refused);
    expect(happened).toEqual(['ran', 'rolled back']);
  });

  describe('of the application’s own transaction', () => {
    const joined = () =>
      app.dataSource.transaction(async () => {
        await save();
      });

    it('leaves the effects of units that had joined it undone', async () => {
      lose('reply');
      await expect(joined()).rejects.toBe(reset);
      expect(happened).toEqual(['ran']);
    });

    it('counts as a rollback for joined units where it was refused', async () => {
      const refused = new Error('refused');
      const beforeTransactionCommit = () => Promise.reject(refused);
      app.dataSource.subscribers.push({ beforeTransactionCommit });
      await expect(joined()).rejects.toBe(refused);
      expect(happened).toEqual(['ran', 'rolled back']);
      app.dataSource.subscribers.length = 0;
      expect(await app.saved()).toEqual([]);
    });
  });
});
