import { IsNull } from 'typeorm';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { uuidV7 } from '../../../../lib/files/file-id.js';
import { UploadRowWrites } from '../../../../lib/files/resumable/upload-row-writes.js';
import { FileUpload } from '../../../../lib/files/uploads/file-upload.entity.js';
import { Transactor } from '../../../../lib/unit-of-work/transactor.js';
import { reachableDatabases } from '../../../support/databases.js';
import type { TestDatabase } from '../../../support/databases.js';

const OWNERS = Array.from({ length: 250 }, () => uuidV7());

async function start({ open }: TestDatabase, count: number) {
  const database = await open({ entities: [FileUpload] });
  const transactor = new Transactor(database.dataSource);
  onTestFinished(async () => {
    transactor.close();
    await database.close();
  });
  const rows = database.dataSource.getRepository(FileUpload);
  const ids = OWNERS.slice(0, count).map(() => uuidV7());
  const at = { storage: 'default', size: 0, createdAt: new Date(), expiresAt: new Date() };
  for (const id of ids) await rows.insert({ id, name: 'a', location: id, locationKey: id, ...at });
  const ownerOf = async (id: string) => (await rows.findOneByOrFail({ id })).leaseOwner;
  return {
    transactor,
    writes: new UploadRowWrites(transactor),
    commits: vi.spyOn(transactor, 'run'),
    ids,
    rows,
    ownerOf,
  };
}

describe.each(await reachableDatabases('file', 'postgres', 'mariadb'))('changes of uploads on $name', (database) => {
  it('commits those of one turn together, a hundred at most, and tells each whether it was made', async () => {
    const { writes, commits, ids, rows } = await start(database, 250);
    const free = [{ leaseOwner: IsNull() }];
    const takes = (owner: string) => ids.map((id) => writes.change(id, free, { leaseOwner: owner }));
    const [first, second] = [takes(OWNERS[0]!), takes(OWNERS[1]!)];
    expect(await Promise.all(first)).toEqual(ids.map(() => true));
    expect(await Promise.all(second)).toEqual(ids.map(() => false));
    expect(commits).toHaveBeenCalledTimes(5);
    expect(await rows.countBy({ leaseOwner: OWNERS[0]! })).toBe(250);
  });

  it('makes the others where one fails, and tells that one why', async () => {
    const { writes, ids, ownerOf } = await start(database, 3);
    const changes = [{ leaseOwner: OWNERS[0]! }, { name: null as never }, { leaseOwner: OWNERS[2]! }];
    const outcomes = await Promise.allSettled(ids.map((id, at) => writes.change(id, [{}], changes[at]!)));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await Promise.all(ids.map(ownerOf))).toEqual([OWNERS[0], null, OWNERS[2]]);
  });

  it('makes those that are asked for while others are written', async () => {
    const { writes, ids, ownerOf } = await start(database, 2);
    const [one, other] = ids as [string, string];
    const first = writes.change(one, [{}], { leaseOwner: OWNERS[0]! });
    const then = first.then(() => writes.change(one, [{ leaseOwner: OWNERS[0]! }], { leaseOwner: OWNERS[1]! }));
    await writes.change(other, [{}], { leaseOwner: OWNERS[2]! });
    expect(await then).toBe(true);
    expect([await ownerOf(one), await ownerOf(other)]).toEqual([OWNERS[1], OWNERS[2]]);
  });

  it('stays outside of the unit of work that asks for one, which is rolled back', async () => {
    const { writes, ids, ownerOf, transactor } = await start(database, 1);
    const [id] = ids as [string];
    let written: Promise<boolean> | undefined;
    const unit = transactor.run(async () => {
      written = writes.change(id, [{}], { leaseOwner: OWNERS[0]! });
      throw new Error('undone');
    });
    await expect(unit).rejects.toThrow('undone');
    expect(await written).toBe(true);
    expect(await ownerOf(id)).toBe(OWNERS[0]);
  });
});
