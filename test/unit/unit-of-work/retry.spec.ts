import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

describe.each(await reachableDatabases('postgres', 'mariadb', 'memory'))(
  'on $name, a unit that may be run again',
  (kind) => {
    let app: NotesApp;
    let run: NotesApp['transactor']['run'];

    beforeAll(async () => {
      app = await openNotes(kind);
      run = app.transactor.run.bind(app.transactor);
    });

    afterAll(() => app.database.close());

    beforeEach(() => app.clear());

    const amounts = async () => (await app.notes.find({ order: { id: 'ASC' } })).map(({ amount }) => amount);

    it.runIf(kind.kind === 'postgres')('runs again after a serialization failure', async () => {
      await app.write('counter');
      let runs = 0;
      const count = () =>
        run(
          async () => {
            runs++;
            const { amount } = await app.notes.findOneByOrFail({ id: 'counter' });
            await app.notes.update('counter', { amount: amount + 1 });
          },
          { isolationLevel: 'SERIALIZABLE', retry: 100 },
        );
      await Promise.all(Array.from({ length: 12 }, count));
      expect(await amounts()).toEqual([12]);
      expect(runs).toBeGreaterThan(12);
    });

    it.runIf(kind.kind !== 'memory')('runs again after a deadlock', async () => {
      await app.notes.insert([{ id: 'a' }, { id: 'b' }]);
      const effects: string[] = [];
      const bothHold = gate();
      let runs = 0;
      let holding = 0;
      const one = (first: string, second: string) =>
        run(
          async (unit) => {
            runs++;
            unit.afterCommit(() => effects.push('committed'));
            unit.afterRollback(() => effects.push('undone'));
            await app.notes.increment({ id: first }, 'amount', 1);
            if (++holding === 2) bothHold.open();
            await bothHold.opened;
            await app.notes.increment({ id: second }, 'amount', 1);
          },
          { retry: 3 },
        );
      await Promise.all([one('a', 'b'), one('b', 'a')]);
      expect(runs).toBe(3);
      expect(await amounts()).toEqual([2, 2]);
      expect(effects.sort()).toEqual(['committed', 'committed', 'undone']);
    });

    it.runIf(kind.kind !== 'memory')('runs only once unless more attempts were asked for', async () => {
      const error = Object.assign(new Error('deadlock'), { code: '40P01', errno: 1213 });
      let runs = 0;
      const unit = run(() => {
        runs++;
        throw error;
      });
      await expect(unit).rejects.toBe(error);
      expect(runs).toBe(1);
    });

    it('runs at most as often as was asked for', async () => {
      const error = Object.assign(new Error('serialization'), { code: '40001' });
      let runs = 0;
      const unit = run(
        async () => {
          runs++;
          await app.write('own');
          throw error;
        },
        { retry: 2 },
      );
      await expect(unit).rejects.toBe(error);
      expect(runs).toBe(3);
      expect(await app.saved()).toEqual([]);
    });

    it('runs again also when the failure is the cause of another error', async () => {
      const cause = Object.assign(new Error('serialization'), { code: '40001' });
      let runs = 0;
      await run(
        async () => {
          await app.write('own');
          if (++runs === 1) throw new Error('wrapped', { cause });
        },
        { retry: 1 },
      );
      expect(runs).toBe(2);
      expect(await app.saved()).toEqual(['own']);
    });

    it('does not run again after an error of another kind, nor once its caller gave up', async () => {
      const caller = new AbortController();
      const transient = Object.assign(new Error('serialization'), { code: '40001' });
      let runs = 0;
      await expect(
        run(
          () => {
            runs++;
            throw new Error('another');
          },
          { retry: 5 },
        ),
      ).rejects.toThrow('another');
      await expect(
        run(
          () => {
            runs++;
            caller.abort();
            throw transient;
          },
          { retry: 5, signal: caller.signal },
        ),
      ).rejects.toThrow();
      expect(runs).toBe(2);
    });

    it('runs again only as a whole: a nested unit does not', async () => {
      const error = Object.assign(new Error('serialization'), { code: '40001' });
      const runs = { outer: 0, inner: 0 };
      await run(
        async () => {
          runs.outer++;
          await run(
            () => {
              if (++runs.inner === 1) throw error;
            },
            { retry: 5 },
          );
        },
        { retry: 1 },
      );
      expect(runs).toEqual({ outer: 2, inner: 2 });
    });
  },
);
