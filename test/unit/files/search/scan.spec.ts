import { describe, expect, it } from 'vitest';
import { ManagedFile } from '../../../../lib/files/managed-file.entity.js';
import { newFile } from '../../../../lib/files/new-file.js';
import { NOT_SCANNED } from '../../../../lib/files/scan/scan-state.js';
import type { OwnerReference } from '../../../../lib/files/owner-reference.js';
import type { PageOptions, ScanOptions } from '../../../../lib/files/search/file-filter.js';
import { reachableDatabases } from '../../../support/databases.js';
import type { TestDatabase } from '../../../support/databases.js';
import { contextOf, filesHarness } from '../../../support/files-harness.js';

const ADA = { type: 'user', id: 'ada' };
const BOB = { type: 'user', id: 'bob' };
const PACKAGE = { type: 'package', id: '1' };

async function scanHarness(kind?: TestDatabase) {
  const harness = await filesHarness({}, kind);
  const { dataSource, queue, files } = harness;
  const store = (name: string, owner: OwnerReference | null) => {
    const content = {
      hash: '00',
      hashAlgorithm: 'sha256',
      contentType: 'text/plain',
      charset: null,
      size: name.length,
    };
    const file = newFile({ name, storage: 'default', location: name, ...content, ...NOT_SCANNED }, owner);
    return dataSource.getRepository(ManagedFile).insert({ ...file } as object);
  };
  for (const [name, owner] of [
    ['x', ADA],
    ['yy', ADA],
    ['z', BOB],
    ['p', PACKAGE],
    ['none', null],
  ] as const) {
    await store(name, owner);
  }
  const names = async (options?: ScanOptions) => (await files.scan(options)).results.map(({ name }) => name);
  const acting = <T>(actor: OwnerReference | null, work: () => Promise<T>): Promise<T> =>
    queue.runQueued(async (route) => {
      route.context = contextOf(actor);
      return work();
    });
  return { ...harness, names, acting };
}

describe('FilesService.scan', () => {
  it("finds one owner's files", async () => {
    const { names } = await scanHarness();
    expect(await names({ ownerType: 'user', ownerId: 'ada' })).toEqual(['x', 'yy']);
    expect(await names({ ownerType: 'package', ownerId: 'ada' })).toEqual([]);
  });

  it('finds the files of the actor where no owner is named', async () => {
    const { names, acting } = await scanHarness();
    expect(await acting(ADA, () => names())).toEqual(['x', 'yy']);
    expect(await acting(BOB, () => names({ limit: 5 }))).toEqual(['z']);
    expect(await acting(BOB, () => names({ ownerType: 'package', ownerId: '1' }))).toEqual(['p']);
  });

  it('refuses to guess an owner', async () => {
    const { names, acting } = await scanHarness();
    const refused = { code: 'FILES_SEARCH_QUERY_INVALID' };
    await expect(names()).rejects.toMatchObject({ ...refused, at: 'ownerType' });
    await expect(acting(null, () => names())).rejects.toMatchObject(refused);
    await expect(acting(ADA, () => names({ ownerType: 'user' }))).rejects.toMatchObject({ ...refused, at: 'ownerId' });
    await expect(names({ ownerType: null, ownerId: null } as never)).rejects.toMatchObject(refused);
  });

  it('says what is wrong with its filters', async () => {
    const { names } = await scanHarness();
    const scan = names({ ownerType: 'user', ownerId: 'ada', filters: { size: 'x' as never } });
    await expect(scan).rejects.toMatchObject({ code: 'FILES_SEARCH_QUERY_INVALID', at: 'filters.size' });
    await expect(names({ ownerType: 'a\u0000', ownerId: 'x' })).rejects.toMatchObject({ at: 'ownerType' });
  });

  it('filters, orders and pages as a search does, but leaves no way out of the owner', async () => {
    const { files, names } = await scanHarness();
    const owner = { ownerType: 'user', ownerId: 'ada' };
    expect(await names({ ...owner, filters: { size: { $gt: 1 } } })).toEqual(['yy']);
    expect(await names({ ...owner, filters: { $or: [{ ownerId: 'bob' }, { ownerType: null }] } })).toEqual([]);
    const first = await files.scan({ ...owner, sort: ['size', 'desc'], limit: 1 });
    expect(first).toMatchObject({ count: 2, results: [{ name: 'yy' }] });
    expect(await names({ ...owner, sort: ['size', 'desc'], limit: 1, cursor: first.next })).toEqual(['x']);
  });

  it('counts only where a page cannot tell', async () => {
    const { files, statements } = await scanHarness();
    const scan = async (page: PageOptions) => {
      statements.length = 0;
      const { count } = await files.scan({ ownerType: 'user', ownerId: 'ada', ...page });
      return [count, statements.length];
    };
    expect(await scan({ limit: 2 })).toEqual([2, 1]);
    expect(await scan({ limit: 1 })).toEqual([2, 2]);
    expect(await scan({ limit: 1, offset: 1 })).toEqual([2, 1]);
    expect(await scan({ offset: 2 })).toEqual([2, 2]);
    expect(await scan({ limit: 0 })).toEqual([2, 1]);
    const { next } = await files.scan({ ownerType: 'user', ownerId: 'ada', limit: 1 });
    expect(await scan({ cursor: next })).toEqual([2, 2]);
    expect(await files.scan({ ownerType: 'user', ownerId: 'nobody' })).toEqual({ count: 0, results: [], next: null });
  });

  it('begins a late page where an index of the application has it', async () => {
    const [inMemory] = await reachableDatabases('memory');
    const { files, dataSource, statements } = await scanHarness(inMemory);
    await dataSource.query('CREATE INDEX by_name ON files_file (owner_type, owner_id, name, id)');
    const page = { ownerType: 'user', ownerId: 'ada', sort: 'name', limit: 1 } as const;
    const { next } = await files.scan(page);
    statements.length = 0;
    await files.scan({ ...page, cursor: next });
    const [sql = ''] = statements;
    const values = Array.from(sql.matchAll(/\?/g), () => 'x');
    const plan = await dataSource.query<{ detail: string }[]>(`EXPLAIN QUERY PLAN ${sql}`, values);
    const detail = 'SEARCH file USING INDEX by_name (owner_type=? AND owner_id=? AND name>?)';
    expect(plan.map((step) => step.detail)).toEqual([detail]);
  });

  it('goes through the index on owners, in its order', async () => {
    const [inMemory] = await reachableDatabases('memory');
    const { files, dataSource, statements } = await scanHarness(inMemory);
    const { next } = await files.scan({ ownerType: 'user', ownerId: 'ada', limit: 1 });
    statements.length = 0;
    await files.scan({ ownerType: 'user', ownerId: 'ada', limit: 1, cursor: next });
    expect(statements).toHaveLength(2);
    const plans = await Promise.all(
      statements.map((sql) => {
        const values = Array.from(sql.matchAll(/\?/g), () => 'x');
        return dataSource.query<{ detail: string }[]>(`EXPLAIN QUERY PLAN ${sql}`, values);
      }),
    );
    const index = 'INDEX ix_files_file_owner (owner_type=? AND owner_id=?';
    expect(plans.map((steps) => steps.map(({ detail }) => detail))).toEqual([
      [expect.stringContaining(`${index} AND id>?)`)],
      [expect.stringContaining(`${index})`)],
    ]);
  });
});
