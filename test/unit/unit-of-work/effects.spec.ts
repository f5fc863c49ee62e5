import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { detach } from '../../../lib/unit-of-work/scopes/ambient.js';
import { currentUnit } from '../../../lib/unit-of-work/unit-of-work.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

Logger.overrideLogger(false);

const failure = new Error('failure');

describe.each(await reachableDatabases())('on $name with a pool of one, effects', (kind) => {
  let app: NotesApp;
  let run: NotesApp['transactor']['run'];
  let happened: string[];

  beforeAll(async () => {
    app = await openNotes(kind, { poolSize: 1 });
    run = app.transactor.run.bind(app.transactor);
  });

  afterAll(() => app.database.close());

  beforeEach(async () => {
    happened = [];
    await app.clear();
  });

  const say = (what: string) => () => happened.push(what);

  /** Queues both kinds of effect for the innermost unit. */
  function queue(name: string): void {
    app.transactor.current()!.afterCommit(say(`${name} committed`));
    app.transactor.current()!.afterRollback(say(`${name} undone`));
  }

  /** Lets work fail in a way that its caller survives. */
  async function survive(work: Promise<unknown>): Promise<void> {
    await expect(work).rejects.toBe(failure);
  }

  it('run after the commit, in order, one after the other', async () => {
    await run((unit) => {
      queue('first');
      unit.afterCommit(async () => {
        await app.notes.count();
        say('slow')();
      });
      queue('last');
      expect(happened).toEqual([]);
    });
    expect(happened).toEqual(['first committed', 'slow', 'last committed']);
  });

  it('run after the rollback, in order', async () => {
    await survive(
      run(async () => {
        queue('first');
        queue('last');
        await app.write('own');
        throw failure;
      }),
    );
    expect(happened).toEqual(['first undone', 'last undone']);
  });

  it('run when the work is saved, or gone, for all to see', async () => {
    const seen: string[][] = [];
    const look = async () => seen.push(await app.saved());
    await run(async (unit) => {
      unit.afterCommit(look);
      await app.write('kept');
    });
    await survive(
      run(async (unit) => {
        unit.afterRollback(look);
        await app.write('gone');
        throw failure;
      }),
    );
    expect(seen).toEqual([['kept'], ['kept']]);
  });

  it('run outside of the unit, with its connection free', async () => {
    let inside: unknown;
    await run(async (unit) => {
      unit.afterCommit(async () => {
        inside = currentUnit() ?? app.transactor.current();
        await app.write('by the effect');
        await run(() => app.write('by a unit of the effect'));
      });
      await app.write('own');
    });
    expect(inside).toBeUndefined();
    expect(await app.saved()).toEqual(['by a unit of the effect', 'by the effect', 'own']);
  });

  it('run outside of every unit, also of one on another data source or one that has ended', async () => {
    const other = await openNotes(kind);
    const seen: unknown[] = [];
    await other.transactor.run(async () => {
      await run((unit) => {
        unit.afterCommit(() => seen.push(currentUnit(), other.transactor.current()));
      });
    });
    await other.database.close();
    const end = gate();
    let late: Promise<unknown> | undefined;
    await run(() => {
      late = end.opened.then(() => run((unit) => unit.afterCommit(() => app.write('by the effect'))));
    });
    end.open();
    await late;
    expect(seen).toEqual([undefined, undefined]);
    expect(await app.saved()).toEqual(['by the effect']);
  });

  it('are awaited by the caller of the unit', async () => {
    await run((unit) => {
      unit.afterCommit(() => app.write('by the effect'));
    });
    expect(await app.saved()).toEqual(['by the effect']);
  });

  it('are logged, and change nothing, when they fail', async () => {
    const logged = vi.spyOn(Logger.prototype, 'error').mockReset();
    const result = await run((unit) => {
      unit.afterCommit(() => Promise.reject(failure));
      unit.afterCommit(() => {
        throw failure;
      });
      queue('last');
      return 'result';
    });
    await survive(
      run((unit) => {
        unit.afterRollback(() => Promise.reject('a text'));
        queue('undone');
        throw failure;
      }),
    );
    expect(result).toBe('result');
    expect(happened).toEqual(['last committed', 'undone undone']);
    const failed = (outcome: string, stack: string) => [
      `An effect after the ${outcome} failed; the ${outcome} itself stands`,
      expect.stringContaining(stack) as string,
    ];
    expect(logged.mock.calls).toEqual([
      failed('commit', 'Error: failure\n'),
      failed('commit', 'Error: failure\n'),
      failed('rollback', 'a text'),
    ]);
  });

  it('run for a rollback when the COMMIT fails', async () => {
    await app.dataSource.query('CREATE TEMPORARY TABLE unrelated (id int)').catch(() => undefined);
    const beforeTransactionCommit = () => Promise.reject(failure);
    app.dataSource.subscribers.push({ beforeTransactionCommit });
    const unit = run(async () => {
      queue('own');
      await app.write('own');
    });
    await survive(unit).finally(() => app.dataSource.subscribers.pop());
    expect(happened).toEqual(['own undone']);
    expect(await app.saved()).toEqual([]);
  });

  /** The ways to nest; a transaction() of TypeORM queues for the unit around it. */
  const ways = [
    { way: 'a nested unit', nest: <T>(work: () => Promise<T>) => run(work) },
    { way: 'dataSource.transaction', nest: <T>(work: () => Promise<T>) => app.dataSource.transaction(work) },
  ];

  describe.each(ways)('of $way', ({ nest }) => {
    const inner = async () => {
      queue('inner');
      await app.write('inner');
    };

    it('wait for the root', async () => {
      await run(async () => {
        queue('before');
        await nest(inner);
        expect(happened).toEqual([]);
        queue('after');
      });
      expect(happened).toEqual(['before committed', 'inner committed', 'after committed']);
    });

    it('run as those of a rollback when the root fails later', async () => {
      await survive(
        run(async () => {
          await nest(inner);
          throw failure;
        }),
      );
      expect(happened).toEqual(['inner undone']);
    });

    it('run as those of a rollback when only the nested part was undone', async () => {
      await run(async () => {
        queue('outer');
        await survive(
          nest(async () => {
            await inner();
            throw failure;
          }),
        );
        expect(happened).toEqual([]);
      });
      expect(happened).toEqual(['outer committed', 'inner undone']);
      expect(await app.saved()).toEqual([]);
    });

    it('run once, as those of a rollback, when the nested part was undone and the root too', async () => {
      await survive(
        run(async () => {
          await survive(
            nest(async () => {
              await inner();
              throw failure;
            }),
          );
          throw failure;
        }),
      );
      expect(happened).toEqual(['inner undone']);
    });

    it('are undone with the nested work around them', async () => {
      await run(async () => {
        await survive(
          nest(async () => {
            await nest(inner);
            throw failure;
          }),
        );
      });
      expect(happened).toEqual(['inner undone']);
    });
  });

  describe.each(ways)('after $way', ({ nest }) => {
    it('need not have run before watch() tells that the work was undone', async () => {
      const watches = new Map<string, () => boolean>();
      const watch = (name: string): void => void watches.set(name, app.transactor.current()!.watch());
      const undone = () => [...watches].filter(([, isUndone]) => isUndone()).map(([name]) => name);
      await run(async () => {
        watch('root');
        await nest(() => Promise.resolve(watch('kept')));
        await survive(
          nest(async () => {
            watch('undone');
            await nest(() => Promise.resolve(watch('kept in what is undone')));
            throw failure;
          }),
        );
        expect(undone()).toEqual(['undone', 'kept in what is undone']);
      });
      expect(undone()).toEqual(['undone', 'kept in what is undone']);
    });
  });

  it('run when their nested work ends, if its unit does not wait for it any longer', async () => {
    const [inside, goOn, undone] = [gate(), gate(), gate()];
    const giveUp = new AbortController();
    let nested: Promise<unknown> | undefined;
    const root = run(
      async () => {
        nested = run(async (unit) => {
          queue('nested');
          unit.afterRollback(undone.open);
          inside.open();
          await goOn.opened;
        });
        await nested;
      },
      { signal: giveUp.signal },
    );
    await inside.opened;
    giveUp.abort(failure);
    await expect(root).rejects.toMatchObject({ code: 'FILES_UNIT_ABORTED' });
    expect(happened).toEqual([]);
    goOn.open();
    await expect(nested).rejects.toThrow();
    await undone.opened;
    expect(happened).toEqual(['nested undone']);
  });

  it('belong to their unit when they are queued from outside of its flow', async () => {
    await run((unit) => {
      detach(() => unit.afterCommit(say('committed')));
      expect(detach(() => unit.watch())()).toBe(false);
    });
    expect(happened).toEqual(['committed']);
  });

  it('survive the nested unit when they are queued by name for the root', async () => {
    await run(async (root) => {
      await survive(
        run(() => {
          root.afterCommit(say('root committed'));
          throw failure;
        }),
      );
    });
    expect(happened).toEqual(['root committed']);
  });
});
