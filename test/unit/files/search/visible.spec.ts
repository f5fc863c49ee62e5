import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ManagedFile } from '../../../../lib/files/managed-file.entity.js';
import { LIMITS } from '../../../../lib/files/search/limits.js';
import { searchFiles } from '../../../../lib/files/search/search-files.js';
import { searchVisibleFiles } from '../../../../lib/files/search/search-visible-files.js';
import type { SearchOptions } from '../../../../lib/files/search/file-filter.js';
import type { OpenDatabase } from '../../../support/databases.js';
import { insertFile, reachableDatabases } from '../../../support/ownership-databases.js';

const owner = { type: 'package', id: '1' };
const isVisible = ({ name }: ManagedFile): boolean => !name.startsWith('hidden');

let asked = 0;
const sieve = async (files: readonly ManagedFile[]): Promise<ManagedFile[]> => {
  asked = Math.max(asked, files.length);
  return files.filter(isVisible);
};

describe.each(await reachableDatabases())('searchVisibleFiles on $name', ({ open }) => {
  let database: OpenDatabase;

  // Hidden ones at both ends, in a run, and between.
  beforeAll(async () => {
    database = await open();
    for (let index = 0; index < 60; index++) {
      const hidden = index < 3 || index > 56 || (index > 20 && index < 30) || index % 4 === 0;
      const name = `${hidden ? 'hidden' : 'open'}-${String(index).padStart(2, '0')}`;
      await insertFile(database.dataSource, { name, size: index % 7, ownerType: owner.type, ownerId: owner.id });
    }
    await insertFile(database.dataSource, { name: 'open-elsewhere', ownerType: 'package', ownerId: '2' });
  });
  afterAll(() => database.close());

  const search = (options: SearchOptions) => searchVisibleFiles(database.dataSource, options, { owner }, sieve);
  /** All visible files in this order: what the pages have to be cut from. */
  async function expected(options: SearchOptions): Promise<string[]> {
    const { results } = await searchFiles(database.dataSource, { ...options, limit: LIMITS.files }, { owner });
    return results.filter(isVisible).map(({ name }) => name);
  }

  it.each([
    ['the usual order', {}],
    ['another order', { sort: [['size', 'desc'], 'name'] }],
    ['a filter', { filters: { size: { $gt: 2 } } }],
  ] as [string, SearchOptions][])('fills its pages and counts the visible files, in %s', async (_, options) => {
    const all = await expected(options);
    expect(all.length).toBeGreaterThan(10);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await search({ ...options, limit: 7, ...(cursor !== null && { cursor }) });
      expect(page.count).toBe(all.length);
      seen.push(...page.results.map(({ name }) => name));
      cursor = page.next;
      expect(page.results).toHaveLength(cursor === null ? all.length % 7 || 7 : 7);
    } while (cursor !== null);
    expect(seen).toEqual(all);
  });

  it('skips no hidden files with an offset', async () => {
    const all = await expected({});
    const { results, next } = await search({ offset: 5, limit: 4 });
    expect(results.map(({ name }) => name)).toEqual(all.slice(5, 9));
    const following = await search({ cursor: next!, offset: 2, limit: 3 });
    expect(following.results.map(({ name }) => name)).toEqual(all.slice(11, 14));
  });

  it.each([
    ['the name', { name: { $like: 'hidden%' } }],
    ['the size of one', { name: 'hidden-58' }],
  ])('tells nothing to filters that try %s', async (_, filters) => {
    expect(await search({ filters: filters as never })).toEqual({ count: 0, results: [], next: null });
  });

  it('counts without returning any file', async () => {
    expect(await search({ limit: 0 })).toEqual({ count: (await expected({})).length, results: [], next: null });
  });
});

it('looks at no more files at a time than a page may have', async () => {
  const [first] = await reachableDatabases();
  const database = await first!.open();
  for (let index = 0; index < LIMITS.files + 20; index++)
    await insertFile(database.dataSource, { name: index < 10 ? 'open' : 'hidden', ownerType: 'package', ownerId: '1' });
  await insertFile(database.dataSource, { name: 'open', ownerType: 'package', ownerId: '1' });
  asked = 0;
  const { count, results, next } = await searchVisibleFiles(database.dataSource, { limit: 20 }, { owner }, sieve);
  expect([asked, count, results.length, next]).toEqual([LIMITS.files, 11, 11, null]);
  await database.close();
});
