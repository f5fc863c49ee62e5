import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import { type JoiningApp, joiningApp, LIBRARIES } from '../../support/joining-app.js';

Logger.overrideLogger(false);

const databases = await reachableDatabases('memory', 'postgres', 'mariadb');
const cases = LIBRARIES.flatMap((library) => databases.map((database) => ({ library, database })));

describe.each(cases)('$library.name on $database.name with a pool of one', ({ library, database }) => {
  let app: JoiningApp;

  beforeAll(async () => void (app = await joiningApp(library, database)));
  beforeEach(() => app.reset());
  afterAll(() => app.close());

  const upload = async () => {
    const { id } = await app.files.create(Buffer.from('text'), { name: 'a.txt', owner: { type: 'user', id: 'ada' } });
    await app.reset();
    return id;
  };
  const ownerOf = async (id: string) => {
    const { ownerType, ownerId } = await app.files.findOrFail(id);
    return `${ownerType} ${ownerId}`;
  };

  describe('on a provider’s method', () => {
    it.each(['above', 'below'] as const)(
      'shares one transaction with @WithTaskQueue() %s: tasks run in it, effects after it',
      async (way) => {
        await app.service[way]('n');
        expect(app.transactions()).toBe('BEGIN [ ] COMMIT');
        expect(app.log).toEqual(['task of n sees 1', 'n committed, saved: 2']);
        expect(await app.saved()).toEqual(['n', 'n-task']);
      },
    );

    it.each(['above', 'below'] as const)('undoes all when a task fails, with @WithTaskQueue() %s', async (way) => {
      await expect(app.service[way]('n', 'task')).rejects.toThrow('task');
      expect(app.transactions()).toMatch(/^BEGIN \[ [\])] ROLLBACK$/);
      expect(app.log).toEqual(['task of n sees 1', 'n rolled back']);
      expect(await app.saved()).toEqual([]);
    });
  });

  describe('around a decorated call', () => {
    it('shares one transaction, in which the tasks drain when the call returns; effects wait for its commit', async () => {
      await app.service.callsDecorated('n');
      expect(app.transactions()).toBe('BEGIN [ ] COMMIT');
      expect(app.log).toEqual(['task of n sees 1', 'outer goes on', 'n committed, saved: 3']);
      expect(await app.saved()).toEqual(['n', 'n-outer', 'n-task']);
    });

    it('undoes the call and its tasks when it is rolled back', async () => {
      await expect(app.service.callsDecorated('n', 'outer')).rejects.toThrow('outer');
      expect(app.transactions()).toBe('BEGIN [ ] ROLLBACK');
      expect(app.log).toEqual(['task of n sees 1', 'outer goes on', 'n rolled back']);
      expect(await app.saved()).toEqual([]);
    });

    it('goes on without the call’s work when the call fails and is caught', async () => {
      await app.service.catchesDecorated('n');
      expect(app.transactions()).toBe('BEGIN [ ) COMMIT');
      expect(await app.saved()).toEqual(['n-after', 'n-outer']);
    });

    it('takes calls that are started side by side one after the other', async () => {
      const { service } = app;
      await service.inTransaction(() =>
        Promise.all([service.decorated('a'), service.decorated('b', 'task').catch(() => 0), service.decorated('c')]),
      );
      expect(app.transactions()).toBe('BEGIN [ ] [ ) [ ] COMMIT');
      expect(await app.saved()).toEqual(['a', 'a-task', 'c', 'c-task']);
    });
  });

  describe('inside of a decorated call', () => {
    it('opens a savepoint of the one transaction', async () => {
      await app.service.callsTransactional('n');
      expect(app.transactions()).toBe('BEGIN [ ] COMMIT');
      expect(await app.saved()).toEqual(['n', 'n-inner', 'n-task']);
    });

    it('is undone with the call', async () => {
      await expect(app.service.callsTransactional('n', 'task')).rejects.toThrow('task');
      expect(app.transactions()).toBe('BEGIN [ ] ROLLBACK');
      expect(await app.saved()).toEqual([]);
    });

    it('may hold a decorated call, also when all of it is in the application’s transaction', async () => {
      const { service } = app;
      await service.inTransaction(() => app.queue.run(() => service.callsDecorated('n')));
      expect(app.transactions()).toMatch(/^BEGIN [^BCO]* COMMIT$/);
      expect(app.log.at(-1)).toBe('n committed, saved: 3');
      expect(await app.saved()).toEqual(['n', 'n-outer', 'n-task']);
    });
  });

  describe('on a route', () => {
    it.each(['above', 'below'])(
      'transfers the constraint’s file in the one transaction, with @WithTaskQueue() %s',
      async (way) => {
        const fileId = await upload();
        expect(await app.post(way, { id: 'n', fileId })).toBe(201);
        expect(app.transactions()).toBe('BEGIN [ ] COMMIT');
        expect(await ownerOf(fileId)).toBe('note n');
      },
    );

    it.each(['above', 'below'])(
      'leaves record and file as they were when the handler fails, with @WithTaskQueue() %s',
      async (way) => {
        const fileId = await upload();
        expect(await app.post(way, { id: 'n', fileId, fails: 'yes' })).toBe(500);
        expect(app.transactions()).toMatch(/^BEGIN \[ \) ROLLBACK$/);
        expect(await ownerOf(fileId)).toBe('user ada');
        expect(await app.saved()).toEqual([]);
      },
    );

    it('keeps the service’s transaction, and the unit in it, in its own', async () => {
      const fileId = await upload();
      expect(await app.post('calls', { id: 'n', fileId })).toBe(201);
      expect(app.transactions()).toBe('BEGIN [ [ ] ] COMMIT');
      expect(app.log).toEqual([
        'task of n-service sees 1',
        'outer goes on',
        'n-service committed, saved: 4',
        'answered 201',
      ]);
    });

    it('refuses a file that is not there, and opens nothing more', async () => {
      expect(await app.post('above', { id: 'n', fileId: randomUUID() })).toBe(400);
      expect(await app.saved()).toEqual([]);
    });
  });

  it('lets files be created, handed over and deleted in its transaction', async () => {
    const { service, files } = app;
    const kept = await upload();
    const gone = await upload();
    const made = await service.inTransaction(async () => {
      const { id } = await files.create(Buffer.from('new'), { name: 'b.txt', owner: { type: 'note', id: 'n' } });
      await files.transferOwnership(kept, { ownerType: 'note', ownerId: 'n' });
      await files.delete(gone);
      return id;
    });
    expect(app.transactions().replaceAll(/[[\]] ?/g, '')).toContain('BEGIN COMMIT');
    expect(await ownerOf(made)).toBe('note n');
    expect(await ownerOf(kept)).toBe('note n');
    await expect(files.findOrFail(gone)).rejects.toThrow(gone);
  });
});
