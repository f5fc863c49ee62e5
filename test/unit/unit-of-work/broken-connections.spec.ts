import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { UnitAbortedError } from '../../../lib/errors/units.errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { proxied } from '../../support/proxied-database.js';
import type { Cut, TcpProxy } from '../../support/tcp-proxy.js';
import { Note } from '../../support/unit-entities.js';
import { appOn, holdConnections, type NotesApp } from '../../support/unit-notes.js';

Logger.overrideLogger(false);

const failure = new Error('undo');

describe.each(await reachableDatabases('postgres', 'mariadb'))(
  'on $name, a unit whose connection breaks',
  (database) => {
    let app: NotesApp;
    let proxy: TcpProxy;

    beforeAll(async () => {
      const open = await proxied(database).open({ entities: [Note], poolSize: 3 });
      proxy = open.proxy;
      app = appOn(open.dataSource, open);
    });

    afterAll(() => app.database.close());

    beforeEach(async () => {
      proxy.disarm();
      await app.clear();
    });

    const cuts: Cut[] = ['before', 'sent', 'reply'];

    it.each(cuts)(
      'is rolled back when it breaks at ROLLBACK (%s), and its connection is not used again',
      async (cut) => {
        for (let round = 0; round < 3; round++) {
          proxy.arm({ cut, at: /^ROLLBACK/i });
          const undone = vi.fn<() => void>();
          const unit = app.transactor.run(async (current) => {
            current.afterRollback(undone);
            await app.write('own');
            throw failure;
          });
          await expect(unit).rejects.toBe(failure);
          expect(proxy.fired).toBe(true);
          expect(undone).toHaveBeenCalledOnce();
        }
        await Promise.all([1, 2, 3, 4].map((at) => app.transactor.run(() => app.write(`next ${at}`))));
        expect(await app.saved()).toHaveLength(4);
      },
    );

    it.each(cuts)(
      'is rolled back when it breaks at a statement (%s), and is refused all others if it swallows the error',
      async (cut) => {
        proxy.arm({ cut, at: /^INSERT/i });
        const undone = vi.fn<() => void>();
        const unit = app.transactor.run(async (current) => {
          current.afterRollback(undone);
          await app.write('own').catch(() => undefined);
          await app.write('late').catch(() => undefined);
        });
        await expect(unit).rejects.toBeInstanceOf(UnitAbortedError);
        expect(undone).toHaveBeenCalledOnce();
        await app.transactor.run(() => app.write('next'));
        expect(await app.saved()).toEqual(['next']);
      },
    );

    it('is rolled back when all connections break while it waits; the next ones work', async () => {
      const { end, ends, undone } = await holdConnections(app, 3);
      proxy.cutAll();
      end.open();
      expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
      expect(new Set(undone)).toEqual(new Set([0, 1, 2]));
      await Promise.all([1, 2, 3, 4].map((at) => app.transactor.run(() => app.write(`next ${at}`))));
      expect(await app.saved()).toHaveLength(4);
    });
  },
);
