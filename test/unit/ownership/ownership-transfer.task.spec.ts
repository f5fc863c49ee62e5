import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { OwnershipTransferTask } from '../../../lib/ownership/ownership-transfer.task.js';
import { ownershipApp } from '../../support/ownership-app.js';
import type { OwnershipApp } from '../../support/ownership-app.js';
import { fileById, historyOf, insertFile } from '../../support/ownership-databases.js';

const theirs = { ownerType: 'user', ownerId: 'bob' };
const code = (value: string) => expect.objectContaining({ code: value }) as Error;

describe('OwnershipTransferTask', () => {
  let app: OwnershipApp;
  beforeAll(async () => void (app = await ownershipApp()));
  afterAll(() => app.close());

  const insert = (file = {}) => insertFile(app.dataSource, { ...theirs, ...file });
  const read = (id: string) => fileById(app.dataSource, id);
  const run = <T>(result: T, ...tasks: Parameters<typeof app.queue.add>[0][]) =>
    app.queue.run(() => {
      for (const task of tasks) app.queue.add(task);
      return result;
    });

  it('transfers to the id at a path of the result, and pins, whoever owned the file', async () => {
    const ids = [await insert(), await insert(), await insert({ ownerType: null, ownerId: null })];
    const [a, b, c] = ids as [string, string, string];
    const result = { id: 7, parts: [{ id: 'p0' }, { id: 'p1' }] };
    const tasks = [
      new OwnershipTransferTask(a, 'package', 'id'),
      new OwnershipTransferTask(b, 'part', ['parts', 1, 'id']),
      new OwnershipTransferTask(c, 'part', 'parts.0.id'),
    ];
    expect(await run(result, ...tasks)).toBe(result);
    const owners = (await Promise.all(ids.map(read))).map((file) => [file?.ownerType, file?.ownerId, file?.pinned]);
    expect(owners).toEqual([
      ['package', '7', true],
      ['part', 'p1', true],
      ['part', 'p0', true],
    ]);
    expect(await historyOf(app.dataSource, a)).toMatchObject([
      { fromId: 'bob', toId: '7', actorId: null, forced: false },
    ]);
  });

  it('transfers to an id that is given', async () => {
    const id = await insert();
    await run(null, new OwnershipTransferTask(id, 'package', '12', 'value'));
    expect(await read(id)).toMatchObject({ ownerType: 'package', ownerId: '12' });
  });

  it('tells the next task the owner', async () => {
    const prevs: unknown[] = [];
    const task = new OwnershipTransferTask(await insert(), 'package', 'id');
    await run({ id: 7 }, task, (_: never, idx: number, prev: unknown) => prevs.push(idx, prev));
    expect(prevs).toEqual([1, { type: 'package', id: '7' }]);
  });

  it('knows no other strategy', () => {
    expect(() => new OwnershipTransferTask(uuidV7(), 'package', 'id', 'guess' as never)).toThrow(
      code('FILES_TRANSFER_STRATEGY_UNKNOWN'),
    );
  });

  it.each([
    ['a path that leads nowhere', 'FILES_OWNER_NOT_RESOLVED', 'nowhere', 'path'],
    ['a path to no id', 'FILES_OWNER_NOT_RESOLVED', 'parts', 'path'],
    ['an empty value', 'FILES_OWNER_NOT_RESOLVED', '', 'value'],
    ['an impossible owner id', 'FILES_OWNER_REFERENCE_INVALID', ' 7', 'value'],
  ] as const)('refuses %s and saves nothing', async (_, expected, destination, strategy) => {
    const id = await insert();
    await expect(run({ parts: [] }, new OwnershipTransferTask(id, 'package', destination, strategy))).rejects.toThrow(
      code(expected),
    );
    expect(await read(id)).toMatchObject(theirs);
  });

  it.each([
    ['parts', 'path', 'the result at "parts" is no id'],
    ['', 'value', 'the value given is no id'],
  ] as const)('says where it looked for an id: %j as a %s', async (destination, strategy, reason) => {
    const task = new OwnershipTransferTask(await insert(), 'package', destination, strategy);
    await expect(run({ parts: [] }, task)).rejects.toThrow(reason);
    await expect(run({ parts: [] }, task)).rejects.toThrow('OwnershipTransferTask');
  });

  it('runs inside of another task, and is refused outside of a queue', async () => {
    const id = await insert();
    const task = new OwnershipTransferTask(id, 'package', 'id');
    await expect(task.run()).rejects.toThrow(/OwnershipTransferTask was run/);
    await run({ id: 7 }, async () => void (await task.run()));
    expect(await read(id)).toMatchObject({ ownerType: 'package', ownerId: '7', pinned: true });
  });

  it('names both owners that claim a file', async () => {
    const id = await insert();
    const to = (owner: string) => new OwnershipTransferTask(id, 'package', owner, 'value');
    await expect(run(null, to('1'), to('2'))).rejects.toThrow(/package 1.*package 2/);
  });

  it('refuses missing and pinned files, and takes the others of the batch back', async () => {
    const fine = await insert();
    const to = (id: string) => new OwnershipTransferTask(id, 'package', 'id');
    const pinned = await insert({ pinned: true });
    await expect(run({ id: 7 }, to(fine), to(uuidV7()))).rejects.toThrow(code('FILES_FILE_NOT_FOUND'));
    await expect(run({ id: 7 }, to(fine), to('no id'))).rejects.toMatchObject({
      code: 'FILES_FILE_NOT_FOUND',
      fileId: 'no id',
    });
    await expect(run({ id: 7 }, to(fine), to(pinned))).rejects.toThrow(code('FILES_FILE_PINNED'));
    await expect(run({ id: 7 }, to(fine), () => 0, to(pinned))).rejects.toThrow(code('FILES_FILE_PINNED'));
    expect(await read(fine)).toMatchObject(theirs);
    expect(await historyOf(app.dataSource, fine)).toEqual([]);
  });

  it("keeps a pinned file that is the owner's already", async () => {
    const id = await insert({ ownerType: 'package', ownerId: '7', pinned: true });
    await run({ id: 7 }, new OwnershipTransferTask(id, 'package', 'id'));
    expect(await historyOf(app.dataSource, id)).toEqual([]);
  });

  it('refuses one file for two owners, also in two batches, and accepts it twice for one', async () => {
    const id = await insert();
    const to = (owner: string) => new OwnershipTransferTask(id, 'package', owner, 'value');
    await expect(run(null, to('1'), to('2'))).rejects.toThrow(code('FILES_OWNER_CONFLICT'));
    await expect(run(null, to('1'), () => 0, to('2'))).rejects.toThrow(code('FILES_OWNER_CONFLICT'));
    await run(null, to('1'), to('1'), () => 0, to('1'));
    expect(await historyOf(app.dataSource, id)).toHaveLength(1);
  });

  it('is undone with the unit of work, and names itself in the cause', async () => {
    const id = await insert();
    const failing = run({ id: 7 }, new OwnershipTransferTask(id, 'package', 'id'), () => {
      throw new Error('later');
    });
    await expect(failing).rejects.toThrow('later');
    expect(await read(id)).toMatchObject(theirs);
    const refused = await run({}, new OwnershipTransferTask(id, 'package', 'id')).catch((error: unknown) => error);
    expect((refused as Error).cause).toMatchObject({
      code: 'FILES_TASK_FAILED',
      message: expect.stringContaining('OwnershipTransferTask') as string,
    });
  });

  it('takes a constant number of statements for adjacent transfers', async () => {
    const counts: number[] = [];
    for (const size of [1, 40]) {
      const tasks = await Promise.all(
        Array.from(
          { length: size },
          async (_, index) => new OwnershipTransferTask(await insert(), 'part', `p${index}`, 'value'),
        ),
      );
      app.statements.length = 0;
      await run(null, ...tasks);
      counts.push(app.statements.filter((sql) => /files_/.test(sql)).length);
    }
    const [one = 0, many] = counts;
    expect(many).toBe(one);
    // On PostgreSQL one for all of it.
    expect(one).toBeLessThanOrEqual(3);
  });

  it('locks the files of all batches before the first one', async () => {
    const [a, b] = [await insert(), await insert()];
    app.statements.length = 0;
    let before = 0;
    await run(
      null,
      () => void (before = app.statements.filter((sql) => /files_file/.test(sql)).length),
      new OwnershipTransferTask(b, 'part', '1', 'value'),
      () => 0,
      new OwnershipTransferTask(a, 'part', '1', 'value'),
    );
    expect(before).toBe(1);
  });

  it('works in a nested unit, whose failure leaves the outer one alone', async () => {
    const [inner, outer] = [await insert(), await insert()];
    await app.queue.run(async () => {
      app.queue.add(new OwnershipTransferTask(outer, 'package', 'id'));
      await app.queue
        .run(() => {
          app.queue.add(new OwnershipTransferTask(inner, 'package', 'id'));
          app.queue.add(() => Promise.reject(new Error('inner')));
          return { id: 8 };
        })
        .catch(() => undefined);
      return { id: 7 };
    });
    expect(await read(inner)).toMatchObject(theirs);
    expect(await read(outer)).toMatchObject({ ownerId: '7' });
  });
});
