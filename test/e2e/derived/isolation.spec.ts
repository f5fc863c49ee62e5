import { describe, expect, it, onTestFinished } from 'vitest';
import { detach } from '../../../lib/unit-of-work/scopes/ambient.js';
import { reachableDatabases } from '../../support/databases.js';
import { derivedApp } from '../../support/derived-app.js';
import { gate } from '../../support/gate.js';

describe.each(await reachableDatabases('postgres', 'mariadb'))(
  'derived files behind a snapshot, on $name,',
  (database) => {
    async function start() {
      const { options, drop } = await database.create();
      const app = await derivedApp({ database: options });
      onTestFinished(async () => {
        await app.app.close();
        await drop();
      });
      return app;
    }

    it.each(['READ COMMITTED', 'REPEATABLE READ'] as const)(
      'at %s, do not outlive an original that is deleted when they have just been made',
      async (isolationLevel) => {
        const { files, previews, rows, queue, idle, create } = await start();
        const read = gate();
        previews.script = async () => {
          await read.opened;
          return Buffer.from('preview');
        };
        const { id } = await create('text');
        await previews.begun(1);
        const deleted = queue.run(
          async () => {
            await rows.findOneByOrFail({ id });
            read.open();
            await detach(idle);
            await files.delete(id);
          },
          { isolationLevel },
        );
        const isRefused = isolationLevel !== 'READ COMMITTED' && database.kind === 'postgres';
        if (isRefused) await expect(deleted).rejects.toMatchObject({ code: 'FILES_FILE_CHANGED', fileIds: [id] });
        else await deleted;
        expect(await rows.count()).toBe(isRefused ? 2 : 0);
      },
    );

    it('go with an original that is replaced and deleted in one unit at REPEATABLE READ', async () => {
      const { files, rows, queue, create, preview, idle } = await start();
      const { id } = await create('text');
      await preview(id);
      await idle();
      await queue.run(
        async () => {
          await rows.findOneByOrFail({ id });
          await files.replace(id, Buffer.from('other text'));
          await files.delete(id);
        },
        { isolationLevel: 'REPEATABLE READ' },
      );
      expect(await rows.count()).toBe(0);
    });
  },
);
