import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { FileGate } from '../../../lib/http/routes/file-gate.js';
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

describe('a route that the database rolls back because of another transaction', () => {
  it.each([
    ['PATCH', '', { name: 'mine.txt' }, 200],
    ['DELETE', '', undefined, 204],
    ['POST', '/transfer', { ownerType: 'user', ownerId: 'bob' }, 200],
    ['PUT', '/pin', undefined, 200],
    ['DELETE', '/pin', undefined, 200],
  ])('runs again: %s %s', async (method, path, body, status) => {
    const [database] = await reachableDatabases('memory');
    const app = await guardedApp({ database: database! });
    try {
      const id = await app.upload('bob');
      const deadlock = Object.assign(new Error('deadlock detected'), { code: '40P01' });
      const lock = vi.spyOn(FileGate.prototype, 'lockFor').mockRejectedValueOnce(deadlock);
      expect((await app.send(method, `/files/${id}${path}`, body, 'bob')).status).toBe(status);
      expect(lock).toHaveBeenCalledTimes(2);
    } finally {
      vi.restoreAllMocks();
      await app.close();
    }
  });
});
