import { describe, expect, it, onTestFinished } from 'vitest';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { insertRow, insertRows } from '../../../lib/files/insert-row.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { newFile } from '../../../lib/files/new-file.js';
import { reachableDatabases } from '../../support/databases.js';
import { HARNESS_ENTITIES } from '../../support/files-harness.js';

function fileAt(location: string): ManagedFile {
  const content = { name: 'ü.txt', storage: 'default', contentType: 'text/plain', charset: 'utf-8', size: 2 ** 40 };
  const facts = { hash: 'ab', hashAlgorithm: 'sha256', scan: 'pending' as const, scanner: 'clamav', finding: null };
  const file = newFile({ ...content, ...facts, location }, { type: 'user', id: 'ada' });
  return Object.assign(file, {
    pinned: true,
    metadata: { tags: ['a'], deep: { is: true } },
    createdAt: new Date(1e12),
  });
}

describe.each(await reachableDatabases())('a row that is inserted on $name', (kind) => {
  async function start() {
    const { dataSource, close } = await kind.open({ entities: HARNESS_ENTITIES });
    onTestFinished(close);
    return dataSource;
  }

  it('has the values that TypeORM writes', async () => {
    const { manager } = await start();
    const [one, other] = [fileAt('one'), { ...fileAt('other'), id: uuidV7() }];
    await insertRow(manager, ManagedFile, one);
    await manager.insert(ManagedFile, { ...other } as object);
    const own = { id: '', location: '', locationKey: '' };
    const [first, second] = await Promise.all(
      [one, other].map(({ id }) => manager.findOneByOrFail(ManagedFile, { id })),
    );
    expect({ ...first, ...own }).toEqual({ ...second, ...own });
    expect(first).toEqual(one);
  });

  it('has its own values where several are inserted together', async () => {
    const { manager } = await start();
    const rows = ['one', 'two', 'three'].map((location, at) =>
      Object.assign(fileAt(location), { size: at, charset: null }),
    );
    await insertRows(manager, ManagedFile, rows);
    const found = await manager.find(ManagedFile, { order: { size: 'ASC' } });
    expect(found).toEqual(rows);
  });

  it('is heard of by a subscriber of the application', async () => {
    const dataSource = await start();
    const heard: unknown[] = [];
    dataSource.subscribers.push({ afterInsert: ({ entity }) => void heard.push((entity as ManagedFile).location) });
    await insertRow(dataSource.manager, ManagedFile, fileAt('one'));
    await insertRows(dataSource.manager, ManagedFile, [fileAt('two'), fileAt('three')]);
    expect(heard).toEqual(['one', 'two', 'three']);
  });
});
