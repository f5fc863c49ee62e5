import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { WorkUnawaitedError } from '../../../lib/errors/units.errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { Note } from '../../support/unit-entities.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

describe.each(await reachableDatabases())('on $name with a pool of one, work that is not awaited', (kind) => {
  let app: NotesApp;
  let run: NotesApp['transactor']['run'];
  let left: Promise<unknown>[];

  beforeAll(async () => {
    app = await openNotes(kind, { poolSize: 1 });
    run = app.transactor.run.bind(app.transactor);
  });

  afterAll(() => app.database.close());

  beforeEach(async () => {
    left = [];
    await app.clear();
  });

  function leave(work: Promise<unknown>): void {
    left.push(work.catch((error: unknown) => error));
  }

  /** The one connection is in no transaction, and what it is told from now on is committed. */
  async function expectCleanPool(): Promise<void> {
    await Promise.all(left);
    await app.write('plain');
    await run(() => app.write('unit'));
    expect(await app.saved()).toEqual(['plain', 'unit']);
  }

  const kinds = [
    { title: 'a nested unit', start: () => run(() => app.write('left')) },
    { title: 'a nested transaction', start: () => app.dataSource.transaction(() => app.write('left')) },
    { title: 'a save', start: () => app.notes.save({ id: 'left' }) },
    { title: 'an insert', start: () => app.write('left') },
    { title: 'a read', start: () => app.notes.find() },
  ];

  it.each(kinds)('fails the unit: $title', async ({ start }) => {
    const unit = run(async () => {
      await app.write('own');
      leave(start());
    });
    await expect(unit).rejects.toBeInstanceOf(WorkUnawaitedError);
    expect(await app.saved()).toEqual([]);
    await expectCleanPool();
  });

  it.each(kinds)('fails a nested unit: $title', async ({ start }) => {
    const unit = run(async () => {
      await app.write('own');
      await run(() => leave(start()));
    });
    await expect(unit).rejects.toBeInstanceOf(WorkUnawaitedError);
    expect(await app.saved()).toEqual([]);
    await expectCleanPool();
  });

  it.each(kinds)('fails a nested transaction: $title', async ({ start }) => {
    const unit = run(() =>
      app.dataSource.transaction(async () => {
        await app.write('own');
        leave(start());
      }),
    );
    await expect(unit).rejects.toBeInstanceOf(WorkUnawaitedError);
    expect(await app.saved()).toEqual([]);
    await expectCleanPool();
  });

  it('is counted in the error', async () => {
    const message = (what: string) =>
      `The method returned while ${what} it had started were still running, so its work was rolled back. ` +
      'Await them, start them with TaskQueue.detach(), or queue them with afterCommit().';
    const units = run(() => {
      leave(run(() => app.write('left')));
      leave(app.dataSource.transaction(() => app.write('left')));
    });
    await expect(units).rejects.toMatchObject({ message: message('2 nested call(s) or transaction(s)') });
    const runner = () => app.dataSource.createQueryRunner();
    const statements = run(() => ['SELECT 1', 'SELECT 2', 'SELECT 3'].map((sql) => leave(runner().query(sql))));
    await expect(statements).rejects.toMatchObject({ message: message('3 statement(s) or stream(s)') });
    await expectCleanPool();
  });

  it('is not begun at all where other nested work is under way', async () => {
    let begun = 0;
    const unit = run(() => {
      leave(run(() => app.write(`left ${++begun}`)));
      leave(run(() => app.write(`left ${++begun}`)));
    });
    await expect(unit).rejects.toBeInstanceOf(WorkUnawaitedError);
    const [, second] = await Promise.all(left);
    expect(second).toMatchObject({
      code: 'FILES_UNIT_ENDED',
      message: expect.stringMatching(/^Nested work was started after its unit of work had ended/) as string,
    });
    await expectCleanPool();
  });

  it('is never kept in part when the caller catches the failure of a nested unit', async () => {
    const unit = run(async () => {
      await app.write('own');
      await run(() => leave(run(() => app.write('left')))).catch(() => undefined);
      await app.write('more');
    });
    const failed = await unit.then(
      () => false,
      () => true,
    );
    await Promise.all(left);
    expect(await app.saved()).toEqual(failed ? [] : ['more', 'own']);
  });

  it('fails the unit also when it is in the middle of its work', async () => {
    const inside = gate();
    const end = gate();
    const unit = run(async () => {
      leave(
        run(async () => {
          await app.write('left');
          inside.open();
          await end.opened;
          await app.write('late');
        }),
      );
      await inside.opened;
    });
    await expect(unit).rejects.toBeInstanceOf(WorkUnawaitedError);
    end.open();
    expect(await app.saved()).toEqual([]);
    await expectCleanPool();
  });

  it('is left in peace when it had ended by itself', async () => {
    const done = gate();
    await run(async () => {
      leave(run(() => app.write('nested')).then(done.open));
      await done.opened;
    });
    expect(await app.saved()).toEqual(['nested']);
  });

  const forgotten: { title: string; start: () => Promise<unknown> }[] = [
    ...kinds,
    { title: 'a save of a manager', start: () => app.dataSource.manager.save(Note, { id: 'left' }) },
    { title: 'a removal', start: () => app.notes.delete('own') },
    { title: 'a count', start: () => app.notes.count() },
    { title: 'an update', start: () => app.notes.update('own', { amount: 2 }) },
    { title: 'a query', start: () => app.dataSource.query('SELECT * FROM note') },
  ];

  it.each(forgotten)('raises no unhandled rejection, is logged and fails the unit: $title', async ({ start }) => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): unknown => unhandled.push(error);
    const warned = vi.spyOn(Logger.prototype, 'warn').mockReset();
    process.on('unhandledRejection', note);
    const unit = run(async () => {
      await app.write('own');
      // Several, so that some of them wait for their turn while the unit ends.
      for (let i = 0; i < 3; i++) void start();
    });
    await expect(unit).rejects.toBeInstanceOf(WorkUnawaitedError);
    await expectCleanPool();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
    expect(warned).toHaveBeenCalledWith(expect.stringMatching(/^Work that was left running failed after its unit/));
    warned.mockRestore();
  });

  it.runIf(kind.kind === 'postgres' || kind.kind === 'mariadb')(
    'raises no unhandled rejection, is logged and fails the unit: a stream',
    async () => {
      const unhandled: unknown[] = [];
      const note = (error: unknown): unknown => unhandled.push(error);
      process.on('unhandledRejection', note).on('uncaughtException', note);
      const unit = run(async () => {
        await app.write('own');
        const runner = app.dataSource.createQueryRunner();
        for (let i = 0; i < 3; i++) void runner.stream('SELECT * FROM note');
      });
      await expect(unit).rejects.toBeInstanceOf(WorkUnawaitedError);
      await expectCleanPool();
      await new Promise((resolve) => setImmediate(resolve));
      process.off('unhandledRejection', note).off('uncaughtException', note);
      expect(unhandled).toEqual([]);
    },
  );

  it('raises no unhandled rejection when it is refused', async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): unknown => unhandled.push(error);
    process.on('unhandledRejection', note);
    const unit = run(async () => {
      void run(() => app.write('first'));
      void run(() => app.write('second'));
      void app.dataSource.transaction(() => app.write('third'));
      await app.write('own');
    });
    await expect(unit).rejects.toBeInstanceOf(WorkUnawaitedError);
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
    await expectCleanPool();
  });
});
