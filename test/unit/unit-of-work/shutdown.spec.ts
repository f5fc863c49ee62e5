import { Logger } from '@nestjs/common';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { detach } from '../../../lib/unit-of-work/scopes/ambient.js';
import { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { Note } from '../../support/unit-entities.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

Logger.overrideLogger(false);

const shuttingDown = { code: 'FILES_SHUTTING_DOWN' };
const LONG = 60_000;

// In memory, nothing is left to look at once the data source is closed.
const databases = (await reachableDatabases()).filter(({ kind }) => kind !== 'memory');

describe.each(databases)('on $name, the end of a data source', (kind) => {
  let app: NotesApp;

  beforeEach(async () => {
    app = await openNotes(kind);
    onTestFinished(() => app.database.close());
  });

  /** A unit that writes, waits for its gate, and writes once more. */
  function hold(transactor: Transactor) {
    const [begun, end] = [gate(), gate()];
    const effects: string[] = [];
    const unit = transactor.run(async (current) => {
      current.afterCommit(() => effects.push('committed'));
      current.afterRollback(() => effects.push('rolled back'));
      await app.write('early');
      begun.open();
      await end.opened;
      await app.write('late');
    });
    return { unit, effects, begun: begun.opened, end: () => end.open() };
  }

  it('waits for the units that are open, and refuses others', async () => {
    const held = hold(app.transactor);
    await held.begun;
    const destroyed = app.dataSource.destroy();
    await expect(app.transactor.run(() => app.write('new'))).rejects.toMatchObject({
      ...shuttingDown,
      message: 'The application is shutting down, and begins no new unit of work.',
    });
    held.end();
    await held.unit;
    await destroyed;
    expect([held.effects, await app.saved()]).toEqual([['committed'], ['early', 'late']]);
  });

  it('waits for the effects of a unit, and for the units that they open', async () => {
    const [begun, end] = [gate(), gate()];
    const unit = app.transactor.run(async (current) => {
      current.afterCommit(async () => {
        await app.transactor.run(() => app.write('effect'));
        await detach(() => app.transactor.run(() => app.write('detached')));
      });
      begun.open();
      await end.opened;
    });
    await begun.opened;
    const destroyed = app.dataSource.destroy();
    end.open();
    await Promise.all([unit, destroyed]);
    expect(await app.saved()).toEqual(['detached', 'effect']);
  });

  it('waits for a unit in a transaction of the application', async () => {
    const [begun, end] = [gate(), gate()];
    let joined: Promise<unknown> | undefined;
    const transaction = app.dataSource.transaction(async (manager) => {
      await manager.insert(Note, { id: 'own' });
      joined = app.transactor.run(async () => {
        begun.open();
        await end.opened;
        await app.write('joined');
      });
      await joined;
    });
    transaction.catch(() => undefined);
    await begun.opened;
    const drained = app.transactor.drain();
    end.open();
    await drained;
    await joined;
    await transaction;
    expect(await app.saved()).toEqual(['joined', 'own']);
  });

  it('rolls back open units when it has waited for long enough', async () => {
    const impatient = new Transactor(app.dataSource, 20);
    const held = hold(impatient);
    await held.begun;
    await app.dataSource.destroy();
    await expect(held.unit).rejects.toMatchObject({
      ...shuttingDown,
      message:
        'The application is shutting down; a unit of work was still open after 20 ms and was rolled back. ' +
        'The option `shutdownTimeout` of FilesModule says how long to wait.',
    });
    held.end();
    expect([held.effects, await app.saved()]).toEqual([['rolled back'], []]);
  });

  it('lets the data source be opened anew', async () => {
    await app.dataSource.destroy();
    await app.dataSource.initialize();
    await app.transactor.run(() => app.write('anew'));
    expect(await app.saved()).toEqual(['anew']);
  });

  it('lets the data source be opened anew after a `destroy()` that failed', async () => {
    await app.dataSource.destroy();
    await expect(app.dataSource.destroy()).rejects.toThrow();
    await app.dataSource.initialize();
    await app.transactor.run(() => app.write('anew'));
    expect(await app.saved()).toEqual(['anew']);
  });

  it('closes a transactor that waits for it, unless it fails', async () => {
    const { dataSource, transactor } = app;
    const ended = vi.fn<() => void>();
    transactor.atClose(ended);
    await transactor.drain();
    transactor.closeAtDestroy();
    const disconnect = vi.spyOn(dataSource.driver, 'disconnect').mockRejectedValueOnce(new Error('The socket is gone'));
    await expect(dataSource.destroy()).rejects.toThrow('The socket is gone');
    expect([ended.mock.calls.length, Object.hasOwn(dataSource, 'createQueryRunner')]).toEqual([0, true]);
    await expect(transactor.run(() => app.write('new'))).rejects.toMatchObject(shuttingDown);
    disconnect.mockRestore();
    await dataSource.destroy();
    expect([ended.mock.calls.length, Object.hasOwn(dataSource, 'createQueryRunner')]).toEqual([1, false]);
    await expect(transactor.run(() => app.write('new'))).rejects.toMatchObject(shuttingDown);
  });

  it('is not waited for by a transactor whose place another one takes, or has', async () => {
    const ended = vi.fn<() => void>();
    app.transactor.atClose(ended);
    app.transactor.closeAtDestroy();
    const next = new Transactor(app.dataSource);
    expect(ended).toHaveBeenCalledOnce();
    const other = new Transactor(app.dataSource);
    other.atClose(ended);
    other.closeAtDestroy();
    expect(ended).toHaveBeenCalledTimes(2);
    await next.run(() => app.write('next'));
    expect(await app.saved()).toEqual(['next']);
    next.close();
    expect(Object.hasOwn(app.dataSource, 'createQueryRunner')).toBe(false);
  });

  it('is asked for once, however many wait for it', async () => {
    const patient = new Transactor(app.dataSource, LONG);
    const held = hold(patient);
    await held.begun;
    const drained = Promise.all([patient.drain(), patient.drain()]);
    held.end();
    await Promise.all([held.unit, drained]);
    patient.close();
    await expect(patient.run(() => app.write('new'))).rejects.toMatchObject(shuttingDown);
    expect(await app.saved()).toEqual(['early', 'late']);
  });
});
