import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { actAs } from '../../../lib/actor/actor.js';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { FileTransfer } from '../../../lib/ownership/file-transfer.entity.js';
import { ownershipApp } from '../../support/ownership-app.js';
import type { OwnershipApp } from '../../support/ownership-app.js';
import { fileById, insertFile } from '../../support/ownership-databases.js';

const mine = { ownerType: 'user', ownerId: 'ada' };
const to = { ownerType: 'package', ownerId: '7' };
const code = (value: string) => expect.objectContaining({ code: value }) as Error;

describe('ownership', () => {
  let app: OwnershipApp;
  beforeAll(async () => void (app = await ownershipApp()));
  afterAll(() => app.close());

  const insert = (file = {}) => insertFile(app.dataSource, file);
  const read = (id: string) => fileById(app.dataSource, id);
  const actions = async (id: string) => (await app.ownership.history(id)).map(({ action }) => action);

  it('transfers owned and unowned files, without pinning them', async () => {
    const ids = [await insert(mine), await insert()];
    await app.ownership.transfer(ids, { ...to, field: 'attachmentId' });
    for (const id of ids) {
      expect(await read(id)).toMatchObject({ ...to, pinned: false, ownerField: 'attachmentId' });
      expect(await actions(id)).toEqual(['transfer']);
    }
  });

  it('transfers all files or none', async () => {
    const fine = await insert(mine);
    const pinned = await insert({ ...mine, pinned: true });
    await expect(app.ownership.transfer([fine, pinned], to)).rejects.toThrow(code('FILES_FILE_PINNED'));
    await expect(app.ownership.transfer([fine, uuidV7()], to)).rejects.toThrow(code('FILES_FILE_NOT_FOUND'));
    await expect(app.ownership.transfer([fine, 'no id'], to)).rejects.toThrow(code('FILES_FILE_NOT_FOUND'));
    expect(await read(fine)).toMatchObject(mine);
    expect(await actions(fine)).toEqual([]);
  });

  it('transfers a pinned file with force, which the history tells, and leaves it pinned', async () => {
    const id = await insert({ ...mine, pinned: true });
    await app.ownership.transfer([id], { ...to, force: true, actor: { type: 'user', id: 'root' } });
    expect(await read(id)).toMatchObject({ ...to, pinned: true });
    expect(await app.ownership.history(id)).toMatchObject([
      { forced: true, actorType: 'user', actorId: 'root', fromId: 'ada' },
    ]);
  });

  it('writes no history where the owner stays, and pins only when asked to', async () => {
    const id = await insert(to);
    await app.ownership.transfer([id], to);
    expect(await read(id)).toMatchObject({ pinned: false });
    expect(await actions(id)).toEqual([]);
    await app.ownership.transfer([id, id], { ...to, pin: true });
    expect(await read(id)).toMatchObject({ pinned: true });
    await app.ownership.transfer([id], { ...to, pin: true });
    await app.ownership.transfer([id], to);
    expect(await read(id)).toMatchObject({ pinned: true });
    expect(await actions(id)).toEqual(['pin']);
  });

  it('pins and unpins owned files, and tells so in the history', async () => {
    const id = await insert(mine);
    await app.ownership.pin(id);
    await app.ownership.pin(id);
    expect(await read(id)).toMatchObject({ pinned: true });
    await app.ownership.unpin(id);
    await app.ownership.unpin(id);
    expect(await read(id)).toMatchObject({ pinned: false });
    expect(await app.ownership.history(id)).toMatchObject([
      { action: 'pin', fromId: 'ada', toId: 'ada', forced: false },
      { action: 'unpin', fromId: 'ada', toId: 'ada', forced: false },
    ]);
  });

  it('refuses to pin an unowned file and does nothing when asked to unpin one', async () => {
    const id = await insert();
    await expect(app.ownership.pin(id)).rejects.toThrow(code('FILES_FILE_UNOWNED'));
    await app.ownership.unpin(id);
    expect(await actions(id)).toEqual([]);
    await expect(app.ownership.pin(uuidV7())).rejects.toThrow(code('FILES_FILE_NOT_FOUND'));
    await expect(app.ownership.unpin(uuidV7())).rejects.toThrow(code('FILES_FILE_NOT_FOUND'));
  });

  it.each([
    ['', '7'],
    ['package', ''],
    ['package ', '7'],
    ['package', ' 7'],
    ['x'.repeat(65), '7'],
    ['package', 'x'.repeat(192)],
    ['package', 'a\u0000b'],
  ])('refuses owner %j %j', async (ownerType, ownerId) => {
    const id = await insert(mine);
    await expect(app.ownership.transfer([id], { ownerType, ownerId })).rejects.toThrow(
      code('FILES_OWNER_REFERENCE_INVALID'),
    );
  });

  it('remembers creation and deletion, and outlives the file', async () => {
    const id = await insert({ ...mine, pinned: true });
    const file = (await read(id)) as ManagedFile;
    await app.dataSource.transaction(async (manager) => {
      await app.ownership.onCreate(file, manager);
      await app.ownership.onDelete(file, manager);
      await manager.delete(ManagedFile, { id });
    });
    expect(await app.ownership.history(id)).toMatchObject([
      { action: 'create', fromId: null, toType: 'user', toId: 'ada', forced: false },
      { action: 'delete', fromType: 'user', fromId: 'ada', toId: null, forced: true },
    ]);
  });

  it('tells in the history who did it', async () => {
    const id = await insert(mine);
    const by = { type: 'user', id: 'ben' };
    const file = (await read(id)) as ManagedFile;
    await actAs(by, async () => {
      await app.dataSource.transaction((manager) => app.ownership.onCreate(file, manager));
      await app.dataSource.transaction((manager) => app.ownership.onCreate(file, manager, { type: 'job', id: '1' }));
      await app.dataSource.transaction((manager) => app.ownership.onCreate(file, manager, null));
      await app.ownership.pin(id);
      await app.ownership.transfer([id], { ...to, force: true });
      await app.ownership.transfer([id], { ...to, ownerId: '8', force: true, actor: null });
    });
    const history = await app.ownership.history(id);
    expect(history.map(({ actorId }) => actorId)).toEqual(['ben', '1', null, 'ben', 'ben', null]);
  });

  it('moves a file once that is named twice, and knows a file by no other text', async () => {
    const id = await insert(mine);
    await app.ownership.transfer([id, id], to);
    expect(await actions(id)).toEqual(['transfer']);
    for (const act of [
      () => app.ownership.history('x'),
      () => app.ownership.pin('x'),
      () => app.ownership.unpin('x'),
      () => app.ownership.transfer(['x'], to),
    ]) {
      await expect(act()).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND', fileId: 'x' });
    }
  });

  it('says why it refuses', async () => {
    const [pinned, unowned] = [await insert({ ...mine, pinned: true }), await insert()];
    await expect(app.ownership.transfer([pinned], to)).rejects.toThrow(
      `File ${pinned} is pinned: a transfer needs \`force\`, or \`unpin\` before it.`,
    );
    await expect(app.ownership.pin(unowned)).rejects.toThrow(
      `File ${unowned} has no owner and cannot be pinned. Transfer it to one first.`,
    );
  });

  it('opens no savepoint in a unit of work, where refusals come before anything is written', async () => {
    const id = await insert(mine);
    const began = async (work: () => Promise<void>) => {
      app.statements.length = 0;
      await work();
      return app.statements.filter((sql) => /^(BEGIN|START|SAVEPOINT)/i.test(sql)).length;
    };
    const all = async () => {
      await app.ownership.pin(id);
      await app.ownership.unpin(id);
      await app.ownership.transfer([id], to);
    };
    expect(await began(() => app.queue.run(all))).toBe(1);
    expect(await began(all)).toBe(3);
  });

  it('pins a moved file in the same statement', async () => {
    const id = await insert(mine);
    await app.ownership.transfer([id], { ...to, pin: true });
    expect(await read(id)).toMatchObject({ ...to, pinned: true });
    expect(await actions(id)).toEqual(['transfer']);
  });

  it('tells the history in its order, whatever that of its rows is', async () => {
    const [id, at] = [await insert(mine), new Date()];
    const row = (toId: string, rowId: string, ago: number) => ({
      id: rowId,
      fileId: id,
      action: 'transfer' as const,
      fromType: null,
      fromId: null,
      toType: 'part',
      toId,
      forced: false,
      actorType: null,
      actorId: null,
      at: new Date(at.getTime() - ago),
    });
    const [one, two] = [uuidV7(), uuidV7()];
    await app.dataSource
      .getRepository(FileTransfer)
      .insert([row('last', uuidV7(), 0), row('third', two, 5), row('second', one, 5), row('first', uuidV7(), 9)]);
    const history = await app.ownership.history(id);
    expect(history.map(({ toId }) => toId)).toEqual(['first', 'second', 'third', 'last']);
  });

  it('asks nothing where no file is transferred', async () => {
    app.statements.length = 0;
    await app.ownership.transfer([], to);
    expect(app.statements).toEqual([]);
  });

  it('keeps the history in order, however fast it is written', async () => {
    const id = await insert(mine);
    for (let round = 0; round < 10; round++) {
      await app.ownership.transfer([id], { ownerType: 'package', ownerId: String(round) });
    }
    const history = await app.ownership.history(id);
    expect(history.map(({ toId }) => toId)).toEqual(Array.from({ length: 10 }, (_, round) => String(round)));
    expect(new Set(history.map(({ at }) => at.getTime())).size).toBe(10);
  });

  it('takes part in the unit of work that calls it', async () => {
    const id = await insert(mine);
    const failed = app.queue.run(async () => {
      await app.ownership.transfer([id], { ...to, pin: true });
      expect(await read(id)).toMatchObject(to);
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await read(id)).toMatchObject({ ...mine, pinned: false });
    expect(await actions(id)).toEqual([]);
  });
});
