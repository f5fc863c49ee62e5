import type { ExecutionContext } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DetachedField } from '../../../lib/ownership/detached/detached-field.js';
import { DetachedFieldsTask, queueDetached } from '../../../lib/ownership/detached/detached-fields.task.js';
import { queueClaim } from '../../../lib/ownership/file-claims.js';
import { OwnershipTransferTask } from '../../../lib/ownership/ownership-transfer.task.js';
import type { TaskLike } from '../../../lib/task-queue/task.js';
import type { UnitQueue } from '../../../lib/task-queue/unit-queue.js';
import { ownershipApp } from '../../support/ownership-app.js';
import type { OwnershipApp } from '../../support/ownership-app.js';
import { fileById, historyOf, insertFile } from '../../support/ownership-databases.js';

const nobodys = { ownerType: null, ownerId: null, ownerField: null, pinned: false };

describe('the emptied fields of a call', () => {
  let app: OwnershipApp;
  let owner = '';
  beforeAll(async () => void (app = await ownershipApp()));
  afterAll(() => app.close());
  beforeEach(() => void (owner = String(Number(owner) + 1)));

  /** The field `attachmentId` of a package, which was sent empty. */
  const emptied = (field: Partial<DetachedField> = {}): DetachedField => ({
    dto: {},
    dtoName: 'PackageDto',
    property: 'attachmentId',
    ownerType: 'package',
    idSteps: ['id'],
    rule: {},
    sent: null,
    detached: 'release',
    owner: () => owner,
    ...field,
  });
  const held = (file: Parameters<typeof insertFile>[1] = {}) =>
    insertFile(app.dataSource, {
      ownerType: 'package',
      ownerId: owner,
      ownerField: 'attachmentId',
      pinned: true,
      ...file,
    });
  const read = (id: string) => fileById(app.dataSource, id);
  const actions = async (id: string) => (await historyOf(app.dataSource, id)).map(({ action }) => action);
  const run = (queueAll: (queue: UnitQueue) => void, args: unknown[] = [], result: unknown = {}) =>
    app.queue.runQueued(async (queue) => {
      queue.context = { getType: () => 'http' } as ExecutionContext;
      queue.args = args;
      queueAll(queue);
      await queue.drain(result);
    });
  const asked = () => app.statements.filter((sql) => /files_/.test(sql)).length;

  it('count once, however often they were validated', async () => {
    let times = 0;
    const field = emptied({ owner: () => String(++times && owner) });
    await run((queue) => {
      for (let item = 0; item < 3; item++) queueDetached(queue, field);
      expect(queue.size).toBe(1);
    });
    expect(times).toBe(1);
  });

  it.each<[string, () => Partial<DetachedField>]>([
    ['of two DTOs', () => ({ dto: {} })],
    ['of two rules', () => ({ rule: {} })],
    ['of two names', () => ({ property: 'coverId' })],
  ])('count each: those %s', async (_, difference) => {
    const [a, b] = [
      await held(),
      await held({ ownerId: `${owner}-b`, ownerField: difference().property ?? 'attachmentId' }),
    ];
    const field = emptied();
    await run((queue) => {
      queueDetached(queue, field);
      queueDetached(queue, { ...field, ...difference(), owner: () => `${owner}-b` });
    });
    expect([await read(a), await read(b)]).toMatchObject([nobodys, nobodys]);
  });

  it.each<[string, { ownerType?: string; owner?: () => string; property?: string }]>([
    ['type', { ownerType: 'part' }],
    ['owner', { owner: () => 'other' }],
    ['name', { property: 'coverId' }],
  ])('do with a file what the field of its %s says', async (_, other) => {
    const mine = await held();
    const theirs = await held({
      ownerType: other.ownerType ?? 'package',
      ownerId: other.owner?.() ?? owner,
      ownerField: other.property ?? 'attachmentId',
    });
    await run((queue) => {
      queueDetached(queue, emptied({ detached: 'release' }));
      queueDetached(queue, emptied({ detached: 'delete', ...other }));
    });
    expect([await read(mine), await read(theirs)]).toMatchObject([nobodys, null]);
    expect([await actions(mine), await actions(theirs)]).toEqual([['release'], ['delete']]);
  });

  it('say whose file they would let go of where they may be of several entities', async () => {
    const parts = ['x', 'y'].map((id) => ({ id: `${owner}-${id}`, attachmentId: null }));
    const dto = { attachmentId: null };
    const field = emptied({ dto, owner: undefined });
    const send = () => run((queue) => queueDetached(queue, field), [{ parts: [dto] }], { parts });
    await send();
    const file = await held({ ownerId: `${owner}-y` });
    await expect(send()).rejects.toThrow(
      'PackageDto.attachmentId: cannot tell whose field was emptied: ' +
        `several entities of the result may be meant, and package ${owner}-y holds a file. Say it: `,
    );
    expect(await read(file)).toMatchObject({ ownerType: 'package' });
  });

  it('let go of nothing that a later transfer of the call takes, and of nothing that one took before', async () => {
    const [later, before] = [await held(), await held()];
    const claim = {
      ...emptied(),
      allowUnowned: false,
      seen: { ownerType: 'package', ownerId: owner, pinned: true },
      message: () => 'no',
    };
    await run((queue) => {
      queueClaim(queue, { ...claim, fileId: before, dto: { attachmentId: before } });
      queue.add(() => {
        queueDetached(queue, emptied());
        queue.add(new OwnershipTransferTask(later, 'package', owner, 'value'));
      });
    });
    expect([await read(later), await read(before)]).toMatchObject([{ ownerId: owner }, { ownerId: owner }]);
    expect([await actions(later), await actions(before)]).toEqual([[], []]);
  });

  it('let go before the first task where the transfers are several batches', async () => {
    const [file, a, b] = [await held(), await held({ ownerId: 'a' }), await held({ ownerId: 'b' })];
    let before: unknown;
    await run((queue) => {
      queue.add(async () => void (before = await read(file)));
      queue.add(new OwnershipTransferTask(a, 'package', 'a', 'value'));
      queue.add(() => 0);
      queue.add(new OwnershipTransferTask(b, 'package', 'b', 'value'));
      queueDetached(queue, emptied());
    });
    expect(before).toMatchObject(nobodys);
    expect(await actions(file)).toEqual(['release']);
  });

  it('take tasks of other classes for what they are', async () => {
    const file = await held();
    const other = { run: () => Promise.resolve(), fileId: 'no id of a file' };
    await run((queue) => {
      queueDetached(queue, emptied());
      queue.add({ run: () => Promise.resolve(), target: {} } as unknown as TaskLike);
      queue.add(other as unknown as TaskLike);
      queue.add(Object.assign(() => 0, { target: {} }));
    });
    expect(await read(file)).toMatchObject(nobodys);
  });

  it('need a unit of work', async () => {
    await expect(new DetachedFieldsTask().run()).rejects.toThrow(/^A field was emptied/);
  });

  it('are asked for once, and locked only where they hold a file', async () => {
    const counts: number[] = [];
    for (const [files, detached] of [
      [0, 'release'],
      [1, 'release'],
      [1, 'delete'],
    ] as const) {
      for (let at = 0; at < files; at++) await held();
      app.statements.length = 0;
      await run((queue) => {
        queueDetached(queue, emptied({ detached }));
        queueDetached(queue, undefined);
        queue.add(() => 0);
        queueDetached(queue, undefined);
      });
      counts.push(asked());
    }
    // The files that they hold; the lock, the release and its history; to delete, also where they are, and the intent before and after.
    expect(counts).toEqual([1, 4, 7]);
  });
});
