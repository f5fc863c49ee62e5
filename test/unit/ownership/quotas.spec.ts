import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { FileUpload } from '../../../lib/files/uploads/file-upload.entity.js';
import { FileUsage } from '../../../lib/ownership/quotas/file-usage.entity.js';
import { readQuotas } from '../../../lib/ownership/quotas/quota-options.js';
import { Quotas } from '../../../lib/ownership/quotas/quotas.js';
import type { UsageChange } from '../../../lib/ownership/quotas/quotas.js';
import { addUsage, countedUsage, recordedUsage } from '../../../lib/ownership/quotas/usage.js';
import { locationKey } from '../../../lib/storage/location-key.js';
import { reachableDatabases } from '../../support/databases.js';
import { ownershipApp } from '../../support/ownership-app.js';
import type { OwnershipApp } from '../../support/ownership-app.js';
import { insertFile } from '../../support/ownership-databases.js';

describe('quotas', () => {
  let app: OwnershipApp;
  let quotas: Quotas;
  let asked: string[] = [];
  let number = 0;
  let team: { type: string; id: string };
  let user: { type: string; id: string };
  beforeAll(async () => {
    app = await ownershipApp({
      quotas: readQuotas({
        user: { bytes: 100 },
        team: (id) => {
          asked.push(id);
          return id === 'free' ? undefined : { bytes: 1000, count: 2 };
        },
      }),
    });
    quotas = app.app.get(Quotas);
  });
  afterAll(() => app.close());
  beforeEach(() => {
    asked = [];
    team = { type: 'team', id: `t-${++number}` };
    user = { type: 'user', id: `u-${number}` };
  });

  const change = (owner: UsageChange['owner'], bytes: number, count: number): UsageChange => ({ owner, bytes, count });
  const charge = (...changes: UsageChange[]) =>
    app.dataSource.transaction((manager) => quotas.charge(manager, changes));
  /** Makes the rows that count, which begin with the files that there are: none. */
  const begin = () => charge(change(team, 1, 0), change(user, 1, 0));
  const insert = (owner: typeof team, size = 10) =>
    insertFile(app.dataSource, { ownerType: owner.type, ownerId: owner.id, size });
  const statements = async (work: () => Promise<unknown>, pattern = /files_usage/) => {
    app.statements.length = 0;
    await work();
    return app.statements.filter((sql) => pattern.test(sql)).length;
  };

  it('are counted in one order, whatever the order of the files', async () => {
    const ids = ['b', 'c', 'a', '10', '9'].map((id) => `${id}-${number}`);
    await charge(...ids.map((id) => change({ type: 'team', id }, 1, 1)));
    expect(asked).toEqual(ids.toSorted());
    asked = [];
    await charge(...ids.toReversed().map((id) => change({ type: 'team', id }, 1, 1)));
    expect(asked).toEqual(ids.toSorted());
  });

  it('are counted once for an owner, and not at all where it loses as much as it gains', async () => {
    await begin();
    await charge(change(team, 10, 1));
    const others = { type: 'group', id: '1' };
    const once = await statements(() => charge(change(team, 5, 1), change(team, 5, 0), change(others, 1, 1)));
    const nothing = await statements(() => charge(change(team, 5, 1), change(team, -5, -1), change(null, 5, 1)));
    expect([once, nothing]).toEqual([2, 0]);
    expect(await quotas.usage(team)).toEqual({ bytes: 20, count: 2 });
    await charge(change(team, 5, 0));
    await charge(change(team, 0, -1));
    expect(await quotas.usage(team)).toEqual({ bytes: 25, count: 1 });
  });

  it('are not checked where an owner only loses', async () => {
    await begin();
    await charge(change(team, 500, 1));
    asked = [];
    expect(await statements(() => charge(change(team, -500, -1)))).toBe(1);
    await charge(change(team, -1, 0));
    await charge(change(team, 0, -1));
    expect(asked).toEqual([]);
    await charge(change(team, 10, 0));
    await charge(change(team, -5, 1));
    expect(asked).toEqual([team.id, team.id]);
  });

  it('report the limit and the size that would result, in bytes or in files', async () => {
    await begin();
    await charge(change(team, 999, 2), change(user, 100, 50));
    const refused = (...changes: UsageChange[]) => charge(...changes).then(String, (error: Error) => error.message);
    const remedy = 'Delete some of its files, or raise its quota.';
    expect(await refused(change(team, 2, 0))).toBe(
      `team ${team.id} may have 1000 bytes, and would have 1001. ${remedy}`,
    );
    expect(await refused(change(team, 1, 1))).toBe(`team ${team.id} may have 2 files, and would have 3. ${remedy}`);
    expect(await refused(change(user, 1, 0))).toBe(`user ${user.id} may have 100 bytes, and would have 101. ${remedy}`);
    expect(await quotas.usage(team)).toEqual({ bytes: 999, count: 2 });
  });

  it('let an owner over one limit grow in the other', async () => {
    for (let file = 0; file < 3; file++) await insert(team);
    await charge(change(team, 100, 0));
    await charge(change({ type: 'team', id: `fat-${number}` }, 0, 0), change(team, -10, 0));
    await insert(user, 500);
    await charge(change(user, -1, 1));
    await expect(charge(change(team, 0, 1))).rejects.toMatchObject({ limited: 'count', limit: 2 });
  });

  it('say beforehand whether one more file fits', async () => {
    await insert(team);
    await quotas.assertRoom(team, 990);
    await expect(quotas.assertRoom(team, 991)).rejects.toThrow('may have 1000 bytes, and would have 1001');
    await quotas.assertRoom(team, 0, 1);
    await expect(quotas.assertRoom(team, 0, 2)).rejects.toThrow('may have 2 files, and would have 3');
    await insert(team);
    await expect(quotas.assertRoom(team, 0)).rejects.toThrow('may have 2 files, and would have 3');
    await quotas.assertRoom(team, 980, 0);
    const free = { type: 'team', id: 'free' };
    expect(await statements(() => quotas.assertRoom(free, 1e12), /files_/)).toBe(0);
  });

  it('need not be configured to count the files of an owner', async () => {
    const group = { type: 'group', id: `g-${number}` };
    await insert(group, 7);
    expect(await statements(() => quotas.usage(group))).toBe(0);
    expect(await quotas.usage(group)).toEqual({ bytes: 7, count: 1 });
    expect(await quotas.usage({ type: 'group', id: 'none' })).toEqual({ bytes: 0, count: 0 });
    await charge(change(team, 5, 1));
    expect(await quotas.usage(team)).toEqual({ bytes: 0, count: 0 });
  });

  it('add no statement to transfers among owners without a quota', async () => {
    const id = await insert({ type: 'group', id: '1' }, 50);
    const to = (ownerType: string, ownerId: string) => app.ownership.transfer([id], { ownerType, ownerId });
    const counted = /files_usage|AS "?`?size/;
    expect(await statements(() => to('group', '2'))).toBe(0);
    const plain = await statements(() => to('group', '3'), counted);
    expect(plain).toBe(app.dataSource.options.type === 'postgres' ? 0 : 1);
    expect(await statements(() => to('team', team.id), counted)).toBeGreaterThan(plain);
    expect(await quotas.usage(team)).toEqual({ bytes: 50, count: 1 });
    expect(await statements(() => to('team', team.id), counted)).toBe(plain);
    await to('user', user.id);
    expect([await quotas.usage(team), await quotas.usage(user)]).toEqual([
      { bytes: 0, count: 0 },
      { bytes: 50, count: 1 },
    ]);
    await to('group', '3');
    expect(await quotas.usage(user)).toEqual({ bytes: 0, count: 0 });
  });

  it('let the unit of work go on after a refused transfer that it catches', async () => {
    const id = await insert({ type: 'group', id: '1' }, 101);
    await app.queue.run(async () => {
      const to = { ownerType: 'user', ownerId: user.id };
      await expect(app.ownership.transfer([id], to)).rejects.toMatchObject({ code: 'FILES_QUOTA_EXCEEDED' });
      await app.ownership.transfer([id], { ownerType: 'group', ownerId: '9' });
    });
    expect((await app.ownership.history(id)).map(({ toId }) => toId)).toEqual(['9']);
  });
});

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('the row of an owner on $name', (database) => {
  it('grows where another transaction has written it meanwhile', async () => {
    const { dataSource, close } = await database.open({ entities: [ManagedFile, FileUpload, FileUsage] });
    try {
      const ada = { type: 'user', id: 'ada' };
      await insertFile(dataSource, { ownerType: ada.type, ownerId: ada.id, size: 100 });
      await dataSource.transaction(async (manager) => {
        const overtaken = Object.create(manager, {
          query: {
            value: async (sql: string, values: unknown[]) => {
              if (sql.startsWith('INSERT')) await addUsage(manager, ada, { bytes: 5, count: 1 });
              return manager.query<unknown>(sql, values);
            },
          },
        }) as EntityManager;
        await addUsage(overtaken, ada, { bytes: 7, count: 2 });
      });
      // The first counted the file as it is; the second says what it changed.
      expect(await recordedUsage(dataSource.manager, ada)).toMatchObject({ bytes: 107, count: 3 });
    } finally {
      await close();
    }
  });
});

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))(
  'the count of an owner on $name',
  (database) => {
    it('has an upload once that becomes a file while it is counted', async () => {
      const { dataSource, close } = await database.open({ entities: [ManagedFile, FileUpload, FileUsage] });
      const runner = dataSource.createQueryRunner();
      try {
        const ada = { ownerType: 'user', ownerId: 'ada' };
        const id = randomUUID();
        await dataSource.getRepository(FileUpload).insert({
          ...ada,
          id,
          storage: 'default',
          location: 'a',
          locationKey: locationKey('a'),
          name: 'a.txt',
          size: 10,
          createdAt: new Date(),
          expiresAt: new Date(),
        } as FileUpload);
        const query = runner.query.bind(runner) as (sql: string, ...rest: unknown[]) => Promise<unknown>;
        let isCompleted = false;
        runner.query = (async (sql: string, ...rest: unknown[]) => {
          const result = await query(sql, ...rest);
          if (isCompleted) return result;
          isCompleted = true;
          await dataSource.getRepository(FileUpload).delete({ id });
          await insertFile(dataSource, { ...ada, size: 10 });
          return result;
        }) as typeof runner.query;
        expect(await countedUsage(runner.manager, { type: 'user', id: 'ada' })).toEqual({ bytes: 10, count: 1 });
        expect(isCompleted).toBe(true);
      } finally {
        await runner.release();
        await close();
      }
    });
  },
);

describe('the option of quotas', () => {
  const option = (reason: string) => `FilesModule option "quotas": that of "user" ${reason}.`;

  it.each([
    [5, 'must be like { bytes: "1GiB", count: 100 }, or a function'],
    [null, 'must be like { bytes: "1GiB", count: 100 }, or a function'],
    [{ size: 1 }, 'has no limit "size": it limits bytes and count'],
    [{ bytes: 1, size: 1 }, 'has no limit "size": it limits bytes and count'],
    [{}, 'limits neither bytes nor count'],
    [{ count: -1 }, 'has no number of files: -1'],
    [{ count: 1.5 }, 'has no number of files: 1.5'],
    [{ count: '1' }, 'has no number of files: 1'],
    [{ bytes: 'x' }, 'has no number of bytes: "x". Give a number, or a text like "1GiB"'],
    [{ bytes: -1 }, 'has no number of bytes: -1. Give a number, or a text like "1GiB"'],
  ])('is refused where it is %j', (user, reason) => {
    expect(() => readQuotas({ user } as never)).toThrow(
      expect.objectContaining({ code: 'FILES_OPTION_INVALID', message: option(reason) }) as Error,
    );
  });

  it('takes any limit there can be, and functions', () => {
    const quotas = { user: { count: 0 }, team: { bytes: 0 }, group: () => null, all: { bytes: '1kB', count: 1 } };
    expect(readQuotas(quotas)).toBe(quotas);
    expect(readQuotas()).toEqual({});
  });
});
