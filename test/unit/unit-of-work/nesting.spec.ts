import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { detach } from '../../../lib/unit-of-work/scopes/ambient.js';
import { reachableDatabases } from '../../support/databases.js';
import type { EntityManager } from 'typeorm';
import { gate } from '../../support/gate.js';
import { Note } from '../../support/unit-entities.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

const failure = new Error('failure');

describe.each(await reachableDatabases())('on $name, nested work', (kind) => {
  let app: NotesApp;
  let run: NotesApp['transactor']['run'];

  /** The ways to nest: a unit, and a transaction of TypeORM. */
  const ways = [
    { way: 'a nested unit', nest: <T>(work: () => Promise<T>) => app.transactor.run(work) },
    { way: 'dataSource.transaction', nest: <T>(work: () => Promise<T>) => app.dataSource.transaction(work) },
    {
      way: 'the transaction of its own manager',
      nest: <T>(work: () => Promise<T>) => app.transactor.current()!.manager.transaction(work),
    },
  ];

  beforeAll(async () => {
    app = await openNotes(kind);
    run = app.transactor.run.bind(app.transactor);
  });

  afterAll(() => app.database.close());

  beforeEach(() => app.clear());

  describe.each(ways)('in $way', ({ nest }) => {
    it('is undone alone when it fails and the caller catches', async () => {
      await run(async () => {
        await app.write('before');
        await expect(
          nest(async () => {
            await app.write('inner');
            throw failure;
          }),
        ).rejects.toBe(failure);
        await app.write('after');
      });
      expect(await app.saved()).toEqual(['after', 'before']);
    });

    it('is undone with the outer unit', async () => {
      const unit = run(async () => {
        await nest(() => app.write('inner'));
        throw failure;
      });
      await expect(unit).rejects.toBe(failure);
      expect(await app.saved()).toEqual([]);
    });

    it('survives a statement that the database refuses', async () => {
      await run(async () => {
        await app.write('one');
        await expect(nest(() => app.write('one'))).rejects.toThrow();
        await app.write('two');
      });
      expect(await app.saved()).toEqual(['one', 'two']);
    });

    it('runs after its siblings, however it ends', async () => {
      const steps: string[] = [];
      await run(async () => {
        const child = (id: string, fails: boolean) =>
          nest(async () => {
            steps.push(`${id} in`);
            await app.write(`${id}1`);
            await app.write(`${id}2`);
            steps.push(`${id} out`);
            if (fails) throw failure;
          });
        const ends = await Promise.allSettled([child('a', false), child('b', true), child('c', false)]);
        expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      });
      expect(steps).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
      expect(await app.saved()).toEqual(['a1', 'a2', 'c1', 'c2']);
    });

    it('nests again', async () => {
      await run(() =>
        nest(async () => {
          await app.write('second');
          await expect(
            nest(async () => {
              await app.write('third');
              throw failure;
            }),
          ).rejects.toBe(failure);
        }),
      );
      expect(await app.saved()).toEqual(['second']);
    });

    it('takes no statement beside it along silently when it is undone', async () => {
      const inside = gate();
      const besideDone = gate();
      const unit = run(() =>
        Promise.allSettled([
          nest(async () => {
            await app.write('inner');
            inside.open();
            await besideDone.opened;
            throw failure;
          }),
          inside.opened.then(() => app.write('beside')).then(besideDone.open),
        ]),
      );
      await expect(unit).rejects.toMatchObject({
        message: 'The unit of work was rolled back: its transaction had already failed.',
        cause: {
          message: expect.stringContaining(
            'a statement that ran at the same time as a nested transaction was undone with it',
          ) as string,
        },
      });
      expect(await app.saved()).toEqual([]);
    });

    it('keeps a statement beside it when it succeeds', async () => {
      const inside = gate();
      const besideDone = gate();
      await run(() =>
        Promise.all([
          nest(async () => {
            await app.write('inner');
            inside.open();
            await besideDone.opened;
          }),
          inside.opened.then(() => app.write('beside')).then(besideDone.open),
        ]),
      );
      expect(await app.saved()).toEqual(['beside', 'inner']);
    });
  });

  it('takes along nothing silently that others wrote through its manager', async () => {
    const leaked = gate();
    const besideDone = gate();
    let manager: EntityManager | undefined;
    const unit = run(() =>
      Promise.allSettled([
        app.dataSource.transaction(async (own) => {
          manager = own;
          await app.write('inner');
          leaked.open();
          await besideDone.opened;
          throw failure;
        }),
        leaked.opened.then(() => manager?.query(`INSERT INTO note (id) VALUES ('beside')`)).then(besideDone.open),
      ]),
    );
    await expect(unit).rejects.toMatchObject({ code: 'FILES_UNIT_ABORTED' });
    expect(await app.saved()).toEqual([]);
  });

  it('goes on in the unit whose manager it is given, wherever it is called', async () => {
    await run(async (outer) => {
      const { manager } = outer;
      const inner = detach(() =>
        run(
          async (current) => {
            expect(current.parent).toBe(outer);
            await app.write('inner');
            throw failure;
          },
          { manager },
        ),
      );
      await expect(inner).rejects.toBe(failure);
      await app.write('outer');
    });
    expect(await app.saved()).toEqual(['outer']);
  });

  it.runIf(kind.kind !== 'memory' && kind.kind !== 'file')(
    'excludes the transaction of another query runner with its own connection',
    async () => {
      const other = app.dataSource.createQueryRunner();
      await other.startTransaction();
      const unit = run(async () => {
        await app.write('undone');
        await other.manager.transaction((manager) => manager.insert(Note, { id: 'kept' }));
        await run(
          async (joined) => {
            expect(joined.parent).toBeUndefined();
            await joined.manager.insert(Note, { id: 'joined' });
          },
          { manager: other.manager },
        );
        throw failure;
      });
      await expect(unit).rejects.toBe(failure);
      await other.commitTransaction();
      await other.release();
      expect(await app.saved()).toEqual(['joined', 'kept']);
    },
  );

  it('runs one after the other, whatever its kind', async () => {
    await run(async () => {
      const ends = await Promise.allSettled(
        ways.flatMap(({ nest }, at) => [
          nest(() => app.write(`kept${at}`)),
          nest(async () => {
            await app.write(`undone${at}`);
            throw failure;
          }),
        ]),
      );
      expect(ends.filter(({ status }) => status === 'rejected')).toHaveLength(ways.length);
    });
    expect(await app.saved()).toEqual(['kept0', 'kept1', 'kept2']);
  });

  it('is not begun by a call of transaction() without work, as TypeORM says', async () => {
    await run(async () => {
      const call = app.dataSource.transaction('SERIALIZABLE', undefined as never);
      await expect(call).rejects.toThrow('Transaction method requires callback in second parameter');
      await app.write('own');
    });
    expect(await app.saved()).toEqual(['own']);
  });

  it('has a unit with its parent and its root', async () => {
    await run(async (root) => {
      expect(app.transactor.current()).toBe(root);
      await run(async (middle) => {
        await run((inner) => {
          expect([inner.parent, inner.root]).toEqual([middle, root]);
        });
        expect(app.transactor.current()).toBe(middle);
      });
    });
    expect(app.transactor.current()).toBeUndefined();
  });

  it('has its own slots', async () => {
    const key = Symbol('slot');
    await run(async (root) => {
      root.slot(key, () => 'root');
      await run((inner) => {
        expect(inner.peek(key)).toBeUndefined();
        expect(inner.slot(key, () => 'inner')).toBe('inner');
      });
      expect(root.slot(key, () => 'again')).toBe('root');
    });
  });

  it('may ask for the isolation that the unit has, or for less', async () => {
    const isolationLevel = 'SERIALIZABLE';
    await run(
      async () => {
        await app.dataSource.transaction('SERIALIZABLE', () => app.write('the same'));
        await app.dataSource.transaction('READ UNCOMMITTED', () => app.write('less'));
      },
      { isolationLevel },
    );
    expect(await app.saved()).toEqual(['less', 'the same']);
  });

  it.runIf(kind.kind !== 'memory' && kind.kind !== 'file')(
    'cannot ask for a stronger isolation than the unit, which stands where that is caught',
    async () => {
      const inner = () => app.dataSource.transaction('SERIALIZABLE', () => app.write('inner'));
      await run(async () => {
        await expect(inner()).rejects.toMatchObject({
          code: 'FILES_ISOLATION_LEVEL_REFUSED',
          message:
            'A nested transaction asked for SERIALIZABLE, but the transaction that it is in runs at READ COMMITTED. Ask where that one ' +
            "begins: @WithTaskQueue({ isolationLevel: 'SERIALIZABLE' }) or dataSource.transaction('SERIALIZABLE', …).",
        });
        await run(() => expect(inner()).rejects.toMatchObject({ code: 'FILES_ISOLATION_LEVEL_REFUSED' }));
        await app.write('own');
      });
      expect(await app.saved()).toEqual(['own']);
      await expect(run(inner)).rejects.toMatchObject({ code: 'FILES_ISOLATION_LEVEL_REFUSED' });
    },
  );
});
