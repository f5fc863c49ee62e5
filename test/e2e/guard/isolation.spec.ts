import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FilesInUseError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Ticket } from '../../support/guarded-entities.js';

describe.each(await reachableDatabases('postgres', 'mariadb'))('Transactions with a snapshot on $name', (database) => {
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({ database });
  });
  afterAll(() => app.close());

  /** Takes the ticket's file away, after another transaction has saved that the ticket names it. */
  async function takeFromNewerRow(take: (file: string) => Promise<unknown>): Promise<{ id: string; file: string }> {
    const tickets = app.dataSource.getRepository(Ticket);
    const { id } = await tickets.save({ title: 'before' });
    const file = await app.fileOf('ticket', id);
    const read = gate();
    // It is outside of the unit: its flow begins here.
    const saved = read.opened.then(() => tickets.update(id, { attachmentId: file }));
    const taken = app.queue.run(
      async () => {
        await tickets.findOneBy({ id });
        read.open();
        await saved;
        await take(file);
      },
      { isolationLevel: 'REPEATABLE READ' },
    );
    // PostgreSQL refuses to show the row as it is now.
    await expect(taken).rejects.toThrow(database.kind === 'postgres' ? /could not serialize access/ : FilesInUseError);
    return { id, file };
  }

  it('refuse the deletion of a file that a row has come to name since', async () => {
    const { id, file } = await takeFromNewerRow((one) => app.files.delete(one, { force: true }));
    expect(await app.ownerOf(file)).toBe(`ticket ${id}*`);
  });

  it('refuse the transfer of a file that a row has come to name since', async () => {
    const { id, file } = await takeFromNewerRow((one) =>
      app.files.transferOwnership(one, { ownerType: 'user', ownerId: 'bob', force: true }),
    );
    expect(await app.ownerOf(file)).toBe(`ticket ${id}*`);
  });
});
