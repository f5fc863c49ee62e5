import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ExecutionContext } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { TransferTrace } from '../../../lib/diagnostics/traces.js';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { queueClaim } from '../../../lib/ownership/file-claims.js';
import type { CheckedClaim } from '../../../lib/ownership/file-claims.js';
import type { OwnershipState } from '../../../lib/ownership/statements/transfer-statements.js';
import { OwnershipTransferTask } from '../../../lib/ownership/ownership-transfer.task.js';
import { outcomeOf } from '../../../lib/ownership/transfer-batch.js';
import type { TaskLike } from '../../../lib/task-queue/task.js';
import type { UnitQueue } from '../../../lib/task-queue/unit-queue.js';
import { TaskQueue } from '../../../lib/task-queue/task-queue.js';
import { reachableDatabases } from '../../support/databases.js';
import { ownershipApp } from '../../support/ownership-app.js';
import type { OwnershipApp } from '../../support/ownership-app.js';
import { claimOf } from '../../support/ownership-claims.js';
import { fileById, historyOf, insertFile } from '../../support/ownership-databases.js';

const mine = { ownerType: 'user', ownerId: 'ada' };
const theirs = { ownerType: 'user', ownerId: 'bob' };
const free = { ownerType: null, ownerId: null, pinned: false };
const ada = { getType: () => 'http' } as ExecutionContext;

function said(field: string, text: string) {
  return { field, code: 'FILE_UNAVAILABLE' as const, message: `${field}: ${text}` };
}

/** A claim of the field `attachmentId` of a DTO, which packages get. */
function claim(
  fileId: string,
  { seen = { ...mine, pinned: false }, ...more }: Partial<Omit<CheckedClaim, 'seen'>> & { seen?: OwnershipState } = {},
): CheckedClaim {
  return {
    ...claimOf({ attachmentId: fileId }, 'attachmentId', { ownerType: 'package' }),
    owner: () => '7',
    rule: {},
    allowUnowned: false,
    claimant: undefined,
    seen: { ...seen, scan: null, replacedAt: 0 },
    isHidden: false,
    message: (reason, fileIds) => said('attachmentId', `${reason} ${fileIds.join(', ')}`),
    ...more,
  };
}

describe('transfers of one call', () => {
  let app: OwnershipApp;
  beforeAll(async () => void (app = await ownershipApp()));
  afterAll(() => app.close());

  const insert = (file: Parameters<typeof insertFile>[1] = mine) => insertFile(app.dataSource, file);
  const read = (id: string) => fileById(app.dataSource, id);
  const run = (queueAll: (queue: UnitQueue) => void, context = ada, result: unknown = {}) =>
    app.queue.runQueued(async (queue) => {
      queue.context = context;
      queueAll(queue);
      await queue.drain(result);
    });
  const refusal = (queueAll: (queue: UnitQueue) => void) =>
    run(queueAll).then(
      () => undefined,
      (error: Error) => error.message,
    );
  const to = (id: string, owner = '7', type = 'package') => new OwnershipTransferTask(id, type, owner, 'value');

  it.each(['a field and a task', 'a task and a field'])('accept a file of another owner for %s', async (order) => {
    const id = await insert(theirs);
    await run((queue) => {
      if (order === 'a task and a field') queue.add(to(id));
      queueClaim(queue, claim(id));
      if (order === 'a field and a task') queue.add(to(id));
    });
    expect(await read(id)).toMatchObject({ ownerType: 'package', ownerId: '7', ownerField: 'attachmentId' });
    expect(await historyOf(app.dataSource, id)).toHaveLength(1);
  });

  it('refuse a file of another owner to fields alone, though a task accepts another file', async () => {
    const [id, other] = [await insert(theirs), await insert(theirs)];
    const refused = await refusal((queue) => {
      queue.add(to(other));
      queueClaim(queue, claim(id, { seen: { ...theirs, pinned: false } }));
    });
    expect(refused).toBe(`attachmentId: foreign ${id}`);
    expect([await read(id), await read(other)]).toMatchObject([theirs, theirs]);
  });

  it('are refused in the words of the first that names the file', async () => {
    const id = await insert({ ...mine, pinned: true });
    const seen = { ...mine, pinned: true };
    const first = await refusal((queue) => {
      queueClaim(queue, claim(id, { seen }));
      queue.add(to(id));
    });
    expect(first).toBe(`attachmentId: pinned ${id}`);
    const second = await refusal((queue) => {
      queue.add(to(id));
      queueClaim(queue, claim(id, { seen }));
    });
    expect(second).toBe(`File ${id} is pinned: a transfer needs \`force\`, or \`unpin\` before it.`);
  });

  it('report all files of a field in one message, and each field in its own', async () => {
    const files = [await insert(theirs), await insert(theirs), await insert(theirs)].toSorted();
    const [a, b, c] = files as [string, string, string];
    const seen = { ...theirs, pinned: false };
    const refused = await refusal((queue) => {
      for (const id of [a, b]) queueClaim(queue, claim(id, { seen, dto: { attachmentId: [a, b] } }));
      queueClaim(
        queue,
        claim(c, { seen, property: 'coverId', dto: { coverId: c }, message: () => said('coverId', 'no') }),
      );
    });
    expect(refused?.split(/[\n;] ?/)).toEqual([`attachmentId: foreign ${a}, ${b}`, 'coverId: no']);
  });

  it('ask for another attempt where files changed meanwhile, whatever else is refused', async () => {
    const files = [await insert(theirs), await insert(theirs), await insert(theirs)].toSorted();
    const [a, b, c] = files as [string, string, string];
    const refused = await refusal((queue) => {
      queueClaim(queue, claim(c, { seen: { ...theirs, pinned: false } }));
      for (const id of [a, b]) queueClaim(queue, claim(id));
    });
    expect(refused).toBe(`Changed since it was checked: file ${a}, ${b}. Nothing was saved; send the request again.`);
  });

  it.each([
    [free, { ...mine, pinned: false }],
    [theirs, { ...mine, pinned: false }],
    [
      { ...theirs, pinned: true },
      { ...theirs, pinned: false },
    ],
    [theirs, { ...theirs, ownerType: 'group', pinned: false }],
  ])('refuse a file when %j differs from the check', async (file, seen) => {
    const id = await insert(file);
    expect(await refusal((queue) => queueClaim(queue, claim(id, { seen })))).toContain('Changed since it was checked');
  });

  it('refuse an unowned file that is gone', async () => {
    const gone = await refusal((queue) => queueClaim(queue, claim(uuidV7(), { seen: free, allowUnowned: true })));
    expect(gone).toContain('Changed since it was checked');
  });

  it('notify listeners of the files and their new owners', async () => {
    const seen: TransferTrace[] = [];
    const listener = (payload: unknown) => void seen.push(payload as TransferTrace);
    subscribe('tracing:nestjs-files:transfer:asyncEnd', listener);
    onTestFinished(() => void unsubscribe('tracing:nestjs-files:transfer:asyncEnd', listener));
    const [a, b] = [await insert(), await insert()];
    await run((queue) => {
      queueClaim(queue, claim(a));
      queue.add(to(b, '8', 'part'));
    });
    await app.ownership.transfer([a, b], { ownerType: 'user', ownerId: 'ada', force: true });
    expect(seen).toMatchObject([
      {
        fileIds: [a, b],
        owners: [
          { type: 'package', id: '7' },
          { type: 'part', id: '8' },
        ],
      },
      { fileIds: [a, b], owners: [{ type: 'user', id: 'ada' }] },
    ]);
  });

  it('are refused where a file is to have two owners, by their type or their id', async () => {
    const id = await insert();
    const conflict = (one: string, other: string) =>
      `File ${id} is named for several owners: ${one}, ${other}. A file has one owner: name it once.`;
    const both = (other: TaskLike) =>
      refusal((queue) => {
        queue.add(to(id));
        queue.add(other);
      });
    expect(await both(to(id, '8'))).toBe(conflict('package 7', 'package 8'));
    expect(await both(to(id, '7', 'part'))).toBe(conflict('package 7', 'part 7'));
    const fields = await refusal((queue) => {
      queueClaim(queue, claim(id));
      queueClaim(queue, claim(id, { owner: () => '8' }));
    });
    expect(fields).toBe(conflict('package 7', 'package 8'));
    expect(await read(id)).toMatchObject(mine);
  });

  it('count as one where several fields name a file for one owner, by the strictest of them', async () => {
    const both = (id: string, other: boolean) =>
      refusal((queue) => {
        queueClaim(queue, claim(id, { allowUnowned: true, seen: free }));
        queueClaim(queue, claim(id, { allowUnowned: other, property: 'coverId', seen: free }));
      });
    const [strict, loose] = [await insert(free), await insert(free)];
    expect(await both(strict, false)).toContain(`foreign ${strict}`);
    expect(await both(loose, true)).toBeUndefined();
    expect(await read(loose)).toMatchObject({ ownerType: 'package', ownerField: 'attachmentId' });
  });

  it('stay two where a field names the file after it was given', async () => {
    const id = await insert();
    await run((queue) => {
      queueClaim(queue, claim(id));
      queue.add(() => queueClaim(queue, claim(id, { property: 'coverId' })));
    });
    expect(await read(id)).toMatchObject({ ownerType: 'package', ownerField: 'coverId' });
    expect(await historyOf(app.dataSource, id)).toHaveLength(1);
  });

  it('read a message of a gateway by its data, and any other result as it is', async () => {
    const results = [
      [{ event: 'made', data: { id: 7 } }, 'ws', { id: 7 }],
      [{ event: 'made', data: { id: 7 } }, 'http', { event: 'made', data: { id: 7 } }],
      [{ event: 'made' }, 'ws', { event: 'made' }],
      [{ data: { id: 7 } }, 'ws', { data: { id: 7 } }],
      [null, 'ws', null],
      ['made', 'ws', 'made'],
    ] as const;
    for (const [result, type, read] of results) {
      let seen: unknown;
      const context = { getType: () => type } as unknown as ExecutionContext;
      await run((queue) => queue.add(() => void (seen = outcomeOf(queue).result)), context, result);
      expect(seen).toEqual(read);
    }
  });
});

describe.each(await reachableDatabases('postgres', 'mariadb'))('transfers in two batches on $name', (database) => {
  it('lock the files of both before the first task, and no others', async () => {
    const app = await ownershipApp({ database });
    try {
      const files = await Promise.all([1, 2, 3].map(() => insertFile(app.dataSource, mine)));
      const [a, b, other] = files as [string, string, string];
      const isFree = async (id: string) => {
        const list = `SELECT id FROM files_file WHERE id = '${id}' FOR UPDATE SKIP LOCKED`;
        return (await TaskQueue.detach(() => app.dataSource.query<unknown[]>(list))).length === 1;
      };
      let before: boolean[] = [];
      await app.queue.run(() => {
        app.queue.add(async () => void (before = await Promise.all([a, b, other].map(isFree))));
        app.queue.add(new OwnershipTransferTask(b, 'part', '1', 'value'));
        app.queue.add(() => 0);
        app.queue.add(new OwnershipTransferTask(a, 'part', '1', 'value'));
      });
      expect(before).toEqual([false, false, true]);
    } finally {
      await app.close();
    }
  });
});
