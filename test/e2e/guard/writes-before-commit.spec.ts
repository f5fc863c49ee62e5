import type { EntitySubscriberInterface, TransactionCommitEvent } from 'typeorm';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FilesNotOwnError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { GUARDED, Ticket } from '../../support/guarded-entities.js';

type Write = (event: TransactionCommitEvent) => Promise<unknown>;

@Entity()
class PlainNote {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { default: '' }) text!: string;
}

/** Does something, once, when the next transaction is about to be committed. */
class Scribe implements EntitySubscriberInterface {
  next: Write | undefined;

  async beforeTransactionCommit(event: TransactionCommitEvent): Promise<void> {
    const write = this.next;
    this.next = undefined;
    await write?.(event);
  }
}

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))(
  'What a subscriber writes before the COMMIT on $name',
  (database) => {
    let app: GuardedApp;
    const scribe = new Scribe();
    beforeAll(async () => {
      app = await guardedApp({ database, entities: [...GUARDED, PlainNote] });
      app.dataSource.subscribers.push(scribe);
    });
    afterAll(() => app.close());
    beforeEach(() => {
      scribe.next = undefined;
    });

    const tickets = () => app.dataSource.getRepository(Ticket);
    const notes = () => app.dataSource.getRepository(PlainNote);

    async function ticketWithFile(): Promise<{ id: string; file: string }> {
      const { id } = await tickets().save({ title: 'before' });
      const file = await app.fileOf('ticket', id);
      await tickets().update(id, { attachmentId: file });
      return { id, file };
    }

    async function ownRunner(work: (runner: ReturnType<typeof app.dataSource.createQueryRunner>) => Promise<unknown>) {
      const runner = app.dataSource.createQueryRunner();
      try {
        await runner.startTransaction();
        await work(runner);
        await runner.commitTransaction();
      } finally {
        if (runner.isTransactionActive) await runner.rollbackTransaction();
        await runner.release();
      }
    }

    // Each with a row of a guarded class or with another, because the guard is first heard of at another time.
    const transactions: [string, () => Promise<unknown>][] = [
      ['save() of a plain row', () => notes().save({ text: 'a' })],
      [
        'a transaction() with a plain row',
        () => app.dataSource.transaction((own) => own.insert(PlainNote, { text: 'a' })),
      ],
      ['a unit of work with a plain row', () => app.queue.run(() => notes().insert({ text: 'a' }))],
      ['a query runner with a plain row', () => ownRunner(({ manager }) => manager.insert(PlainNote, { text: 'a' }))],
      ['save() of a guarded row', () => tickets().save({ title: 'a' })],
      [
        'a transaction() with a guarded row',
        () => app.dataSource.transaction((own) => own.insert(Ticket, { title: 'a' })),
      ],
      ['a unit of work with a guarded row', () => app.queue.run(() => tickets().insert({ title: 'a' }))],
      ['a query runner with a guarded row', () => ownRunner(({ manager }) => manager.insert(Ticket, { title: 'a' }))],
      [
        'a unit of work with a nested one',
        () => app.queue.run(() => app.queue.run(() => tickets().insert({ title: 'a' }))),
      ],
    ];

    describe.each(transactions)('in %s', (_, commit) => {
      it('is refused with the transaction where the row names a foreign file', async () => {
        const foreign = await app.upload('bob');
        const before = [await tickets().count(), await notes().count()];
        scribe.next = ({ manager }) => manager.insert(Ticket, { attachmentId: foreign });
        await expect(commit()).rejects.toThrow(FilesNotOwnError);
        expect([await tickets().count(), await notes().count()]).toEqual(before);
        expect(await app.ownerOf(foreign)).toBe('user bob');
      });

      it('is committed where the row names an own file, and the one that it let go of is deleted', async () => {
        const { id, file } = await ticketWithFile();
        const own = await app.fileOf('ticket', id);
        scribe.next = ({ manager }) => manager.update(Ticket, id, { attachmentId: own });
        await commit();
        expect(await tickets().findOneByOrFail({ id })).toMatchObject({ attachmentId: own });
        expect([await app.ownerOf(own), await app.ownerOf(file)]).toEqual([`ticket ${id}*`, undefined]);
      });
    });

    // A unit that a subscriber opens at the end of a nested one waits for that.
    it.each(transactions.filter(([name]) => !name.includes('nested')))(
      'is followed, in %s, by the effects of its commit',
      async (_, commit) => {
        const done = gate();
        scribe.next = ({ manager }) =>
          app.queue.run(
            () => {
              app.queue.afterCommit(() => done.open());
              return manager.insert(Ticket, { title: 'b' });
            },
            { manager },
          );
        await commit();
        await done.opened;
      },
    );

    it('is refused in a query runner as often as that commits', async () => {
      const foreign = await app.upload('bob');
      await ownRunner(async (runner) => {
        await runner.manager.insert(PlainNote, { text: 'a' });
        scribe.next = ({ manager }) => manager.insert(Ticket, { attachmentId: foreign });
        for (let attempt = 0; attempt < 2; attempt++) {
          await expect(runner.commitTransaction()).rejects.toThrow(FilesNotOwnError);
        }
        await runner.rollbackTransaction();
        await runner.startTransaction();
      });
      expect(await tickets().countBy({ attachmentId: foreign })).toBe(0);
    });

    it('leaves the next transaction of the query runner as strict', async () => {
      const foreign = await app.upload('bob');
      const { id } = await ticketWithFile();
      const next = ownRunner(async (runner) => {
        scribe.next = ({ manager }) => manager.update(Ticket, id, { attachmentId: null });
        await runner.commitTransaction();
        await runner.startTransaction();
        await runner.manager.insert(Ticket, { attachmentId: foreign });
      });
      await expect(next).rejects.toThrow(FilesNotOwnError);
      expect(await tickets().countBy({ attachmentId: foreign })).toBe(0);
    });
  },
);
