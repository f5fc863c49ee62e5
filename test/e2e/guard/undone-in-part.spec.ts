import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OwnershipTransferTask } from '../../../lib/index.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Ticket } from '../../support/guarded-entities.js';

const failure = new Error('a later task failed');

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))(
  'Work on $name that is undone in part',
  (database) => {
    let app: GuardedApp;
    beforeAll(async () => {
      app = await guardedApp({ database });
    });
    afterAll(() => app.close());

    const tickets = () => app.dataSource.getRepository(Ticket);

    async function ticketWithFile(): Promise<{ id: string; file: string }> {
      const { id } = await tickets().save({ title: 'before' });
      const file = await app.fileOf('ticket', id);
      await tickets().update(id, { attachmentId: file });
      return { id, file };
    }

    /** Replaces the ticket's file in nested work, which lets the old one go before the transfer of the new one. */
    function replace(id: string, file: string, then?: () => void): () => Promise<{ id: string }> {
      return async () => {
        await tickets().update(id, { attachmentId: file });
        app.queue.add(new OwnershipTransferTask(file, 'ticket', 'id'));
        if (then) app.queue.add(then);
        return { id };
      };
    }

    const fail = (): never => {
      throw failure;
    };

    async function bytesOf(file: string): Promise<string> {
      const chunks: Buffer[] = [];
      for await (const chunk of await app.files.stream(file)) chunks.push(Buffer.from(chunk as Uint8Array));
      return Buffer.concat(chunks).toString();
    }

    async function assertKept({ id, file }: { id: string; file: string }): Promise<void> {
      expect(await tickets().findOneByOrFail({ id })).toMatchObject({ title: 'after', attachmentId: file });
      expect(await app.ownerOf(file)).toBe(`ticket ${id}*`);
      expect(await bytesOf(file)).toBe('x');
    }

    it('keeps the bytes of a file whose replacement the transfer refused', async () => {
      const ticket = await ticketWithFile();
      const foreign = await app.fileOf('track', 77);
      await app.queue.run(async () => {
        await expect(app.queue.run(replace(ticket.id, foreign))).rejects.toThrow();
        await tickets().update(ticket.id, { title: 'after' });
      });
      await assertKept(ticket);
      expect(await app.ownerOf(foreign)).toBe('track 77*');
    });

    it('keeps the bytes of a file that was replaced before a later task failed', async () => {
      const ticket = await ticketWithFile();
      const own = await app.fileOf('ticket', ticket.id);
      await app.queue.run(async () => {
        await expect(app.queue.run(replace(ticket.id, own, fail))).rejects.toBe(failure);
        await tickets().update(ticket.id, { title: 'after' });
      });
      await assertKept(ticket);
      expect(await bytesOf(own)).toBe('x');
    });

    it('keeps the bytes where the work around the unit that replaced the file is undone', async () => {
      const ticket = await ticketWithFile();
      const own = await app.fileOf('ticket', ticket.id);
      await app.queue.run(async () => {
        const around = app.dataSource.transaction(async () => {
          await app.queue.run(replace(ticket.id, own));
          fail();
        });
        await expect(around).rejects.toBe(failure);
        await tickets().update(ticket.id, { title: 'after' });
      });
      await assertKept(ticket);
    });

    it('keeps the bytes where the unit is in a transaction of the application', async () => {
      const ticket = await ticketWithFile();
      const own = await app.fileOf('ticket', ticket.id);
      await app.dataSource.transaction(async () => {
        await expect(app.queue.run(replace(ticket.id, own, fail))).rejects.toBe(failure);
        await tickets().update(ticket.id, { title: 'after' });
      });
      await assertKept(ticket);
    });
  },
);
