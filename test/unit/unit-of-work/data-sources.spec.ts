import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EntityManager } from 'typeorm';
import { UnitAbortedError } from '../../../lib/errors/units.errors.js';
import { detach } from '../../../lib/unit-of-work/scopes/ambient.js';
import { currentUnit } from '../../../lib/unit-of-work/unit-of-work.js';
import { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { appOn, type NotesApp, openNotes } from '../../support/unit-notes.js';

describe.each(await reachableDatabases())('units on two data sources, $name', (database) => {
  let first: NotesApp;
  let second: NotesApp;

  beforeAll(async () => {
    first = await openNotes(database);
    second = await openNotes(database);
  });
  afterAll(async () => {
    await first.database.close();
    await second.database.close();
  });
  beforeEach(async () => {
    await first.clear();
    await second.clear();
  });

  it('leave the other data source alone', async () => {
    const failing = first.transactor.run(async () => {
      await first.write('undone');
      await second.write('kept');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect([await first.saved(), await second.saved()]).toEqual([[], ['kept']]);
  });

  it('nest independently: the outer one is still open in the inner one', async () => {
    await first.transactor.run(async (outer) => {
      await first.write('outer');
      const inner = second.transactor.run(async (current) => {
        expect([currentUnit(), first.transactor.current(), current.parent]).toEqual([current, outer, undefined]);
        await second.write('inner');
        await first.write('outer from inner');
        throw new Error('inner');
      });
      await expect(inner).rejects.toThrow('inner');
    });
    expect([await first.saved(), await second.saved()]).toEqual([['outer', 'outer from inner'], []]);
  });

  it('stay current during a transaction of the other data source', async () => {
    await first.transactor.run(async (unit) => {
      const around = await second.dataSource.transaction(() => Promise.resolve(currentUnit()));
      expect(around).toBe(unit);
      expect(detach(() => [currentUnit(), first.transactor.current()])).toEqual([undefined, undefined]);
    });
  });

  it('wait for the other data source while somebody else has its connection', async () => {
    const ways = [
      (work: () => Promise<void>) => first.transactor.run(work),
      (work: () => Promise<void>) => first.dataSource.transaction(work),
    ];
    for (const [at, way] of ways.entries()) {
      const [holding, end] = [gate(), gate()];
      const holder = second.transactor.run(async () => {
        await second.write(`holder ${at}`);
        holding.open();
        await end.opened;
      });
      await holding.opened;
      await way(async () => {
        await first.write(`own ${at}`);
        const late = second.write(`late ${at}`);
        setImmediate(end.open);
        await late;
      });
      await holder;
    }
    expect(await second.saved()).toEqual(['holder 0', 'holder 1', 'late 0', 'late 1']);
  });

  it('are both undone when both fail', async () => {
    const failing = first.transactor.run(async () => {
      await first.write('outer');
      await second.transactor.run(async () => {
        await second.write('inner');
        throw new Error('no');
      });
    });
    await expect(failing).rejects.toThrow('no');
    expect([await first.saved(), await second.saved()]).toEqual([[], []]);
  });

  it('may be opened by two transactors of one data source, as one', async () => {
    const other = appOn(first.dataSource, first.database);
    await first.transactor.run(async (outer) => {
      await first.write('outer');
      await other.transactor
        .run(async (inner) => {
          expect(inner.parent).toBe(outer);
          await first.write('inner');
          throw new Error('no');
        })
        .catch(() => undefined);
    });
    expect(await first.saved()).toEqual(['outer']);
    other.transactor.close();
    await first.transactor.run(() => first.write('after'));
    expect(await first.saved()).toEqual(['after', 'outer']);
  });

  it('refuse a manager that is in a unit of another data source', async () => {
    const failing = second.transactor.run((unit) =>
      first.transactor.run(() => first.write('lost'), { manager: unit.manager }),
    );
    await expect(failing).rejects.toThrow(UnitAbortedError);
    const foreign = second.dataSource.transaction((manager) =>
      first.transactor.run(() => first.write('lost'), { manager }),
    );
    await expect(foreign).rejects.toThrow(UnitAbortedError);
    expect([await first.saved(), await second.saved()]).toEqual([[], []]);
  });

  // The last one: it takes the overrides off.
  it('give the data source back as it was when the last transactor closes', async () => {
    const members = ['createQueryRunner', 'createEntityManager', 'transaction'] as const;
    expect(members.map((member) => Object.hasOwn(first.dataSource, member))).toEqual([true, true, true]);
    const extra = new Transactor(first.dataSource);
    first.transactor.close();
    first.transactor.close();
    expect(members.map((member) => Object.hasOwn(first.dataSource, member))).toEqual([true, true, true]);
    extra.close();
    extra.close();
    expect(members.map((member) => Object.hasOwn(first.dataSource, member))).toEqual([false, false, false]);
    expect(Object.getPrototypeOf(first.dataSource.manager)).toBe(EntityManager.prototype);
    await first.write('plain');
    expect(await first.saved()).toEqual(['plain']);
    const again = new Transactor(first.dataSource);
    expect(members.map((member) => Object.hasOwn(first.dataSource, member))).toEqual([true, true, true]);
    expect(first.dataSource.manager.transaction).not.toBe(EntityManager.prototype.transaction);
    const failing = again.run(async () => {
      await first.write('undone');
      await first.dataSource.createEntityManager().transaction(() => first.write('nested'));
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await first.saved()).toEqual(['plain']);
    again.close();
  });
});
