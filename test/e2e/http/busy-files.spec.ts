import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';

// In memory, everybody waits for the one connection.
describe.each(await reachableDatabases('postgres', 'mariadb'))(
  'a hidden file that a unit has locked, on $name,',
  (database) => {
    let app: GuardedApp;
    beforeAll(async () => {
      app = await guardedApp({ database });
    });
    afterAll(() => app.close());

    it.each([
      ['DELETE', '', undefined],
      ['PATCH', '', { name: 'mine.txt' }],
      ['PUT', '/pin', undefined],
      ['POST', '/transfer', { ownerType: 'user', ownerId: 'mallory' }],
    ])('does not block actors who may not %s it', async (method, path, body) => {
      const hidden = await app.upload('bob');
      const [locked, answered] = [gate(), gate()];
      const busy = app.queue.run(async () => {
        await app.files.rename(hidden, 'busy.txt');
        locked.open();
        await answered.opened;
      });
      await locked.opened;
      const { status } = await app.send(method, `/files/${hidden}${path}`, body, 'mallory');
      answered.open();
      await busy;
      expect(status).toBe(404);
    });
  },
);
