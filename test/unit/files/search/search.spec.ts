import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SearchQueryInvalidError } from '../../../../lib/errors/requests.errors.js';
import { ManagedFile } from '../../../../lib/files/managed-file.entity.js';
import { newFile } from '../../../../lib/files/new-file.js';
import { NOT_SCANNED } from '../../../../lib/files/scan/scan-state.js';
import type { FileFilter, SearchOptions } from '../../../../lib/files/search/file-filter.js';
import { searchFiles } from '../../../../lib/files/search/search-files.js';
import { reachableDatabases } from '../../../support/databases.js';
import type { OpenDatabase } from '../../../support/databases.js';
import { filesHarness } from '../../../support/files-harness.js';

const ADA = { type: 'user', id: 'ada' };

function file(name: string, size: number, more: Partial<ManagedFile> = {}): ManagedFile {
  const content = { hash: '00', hashAlgorithm: 'sha256', contentType: 'text/plain', charset: null, size };
  const stored = newFile({ name, storage: 'default', location: name, ...content, ...NOT_SCANNED }, null);
  return Object.assign(stored, more);
}

const FILES = [
  file('a.txt', 1, { ownerType: 'user', ownerId: 'ada', createdAt: new Date('2024-01-01T00:00:00Z') }),
  file('B.TXT', 2, { ownerType: 'package', ownerId: '1', pinned: true, createdAt: new Date('2024-02-01T00:00:00Z') }),
  file('100%.pdf', 3, { metadata: { tags: { draft: true }, 'a.b': 'dotted', rank: 7, list: ['x'] } }),
  file('d', 5_000_000_000, { metadata: { tags: { draft: 'true' }, broken: 'x\u0000y' }, storageData: { etag: 'e' } }),
];

for (const kind of await reachableDatabases('memory', 'postgres', 'mariadb')) {
  describe(`a search on ${kind.name}`, () => {
    let database: OpenDatabase;

    beforeAll(async () => {
      database = await kind.open({ entities: [ManagedFile] });
      await database.dataSource.getRepository(ManagedFile).insert(FILES.map((row) => ({ ...row })) as object[]);
    });

    afterAll(() => database.close());

    const search = (options: SearchOptions) => searchFiles(database.dataSource, options);
    const names = async (filters: FileFilter) => (await search({ filters })).results.map(({ name }) => name);

    it('finds all files without filters, in the order in which they were made', async () => {
      expect(await search({})).toEqual({ count: 4, results: FILES, next: null });
    });

    it.each<[string, FileFilter, string[]]>([
      ['a value', { name: 'd' }, ['d']],
      ['a list', { name: ['d', 'a.txt', 'none'] }, ['a.txt', 'd']],
      ['an empty list', { name: [] }, []],
      ['null', { ownerType: null }, ['100%.pdf', 'd']],
      ['a list with null', { ownerId: ['ada', null] }, ['a.txt', '100%.pdf', 'd']],
      ['another value', { ownerType: { $ne: 'user' } }, ['B.TXT']],
      ['not this value', { ownerType: { $isnot: 'user' } }, ['B.TXT', '100%.pdf', 'd']],
      ['a range', { size: { $gte: 2, $lt: 4 } }, ['B.TXT', '100%.pdf']],
      ['a size beyond 32 bits', { size: 5_000_000_000 }, ['d']],
      ['a date', { createdAt: { $lte: new Date('2024-01-01T00:00:00Z') } }, ['a.txt']],
      ['a date as text', { createdAt: '2024-02-01T01:00:00+01:00' }, ['B.TXT']],
      ['a boolean', { pinned: true }, ['B.TXT']],
      ['an id in capitals', { id: FILES[1]?.id.toUpperCase() ?? '' }, ['B.TXT']],
      ['an owner', { owner: ADA }, ['a.txt']],
      ['no owner', { owner: null }, ['100%.pdf', 'd']],
      ['one of owners', { owner: [ADA, { type: 'package', id: '1' }] }, ['a.txt', 'B.TXT']],
      ['a pattern that minds case', { name: { $like: '%.txt' } }, ['a.txt']],
      ['a pattern that does not', { name: { $ilike: '%.txt' } }, ['a.txt', 'B.TXT']],
      ['one character', { name: { $like: '_' } }, ['d']],
      ['an escaped wildcard', { name: { $like: String.raw`100\%%` } }, ['100%.pdf']],
      ['all of', { $and: [{ size: { $gt: 1 } }, { ownerType: null }] }, ['100%.pdf', 'd']],
      ['any of', { $or: [{ size: 1 }, { pinned: true }], storage: 'default' }, ['a.txt', 'B.TXT']],
      ['none of none', { $or: [] }, []],
      ['a path', { 'metadata.tags.draft': true }, ['100%.pdf']],
      ['a path by objects', { metadata: { tags: { draft: 'true' } } }, ['d']],
      ['a key with a dot', { metadata: { 'a.b': 'dotted' } }, ['100%.pdf']],
      ['a number in JSON', { 'metadata.rank': { $gt: 6.5, $lt: 10 } }, ['100%.pdf']],
      ['a pattern in JSON', { 'storageData.etag': { $ilike: 'E' } }, ['d']],
      ['what is missing in JSON', { 'metadata.rank': null }, ['a.txt', 'B.TXT', 'd']],
      ['another value in JSON', { 'metadata.tags.draft': { $ne: true } }, ['d']],
      ['no way into a list', { 'metadata.list.0': { $isnot: null } }, []],
      ['a text that PostgreSQL cannot read', { 'metadata.broken': { $ne: 'x' } }, ['d']],
      ['an instruction to the database', { name: "'; DROP TABLE files_file; --" }, []],
    ])('finds %s', async (_, filters, expected) => {
      expect(await names(filters)).toEqual(expected);
    });

    it('goes on where the page before ended, whatever came meanwhile', async () => {
      const sort = [['ownerType', 'desc'], 'size'] as const;
      const first = await search({ sort, limit: 2 });
      expect(first.results.map(({ name }) => name)).toEqual(['a.txt', 'B.TXT']);
      const late = file('late', 0, { ownerType: 'zebra', ownerId: '1' });
      await database.dataSource.getRepository(ManagedFile).insert({ ...late } as object);
      const second = await search({ sort, limit: 2, cursor: first.next });
      await database.dataSource.getRepository(ManagedFile).delete(late.id);
      expect(second.results.map(({ name }) => name)).toEqual(['100%.pdf', 'd']);
      expect(second.next).toBeNull();
    });

    it('counts without results for no rows', async () => {
      expect(await search({ limit: 0, filters: { ownerType: null } })).toEqual({ count: 2, results: [], next: null });
    });

    it('keeps the widest of allowed searches within the limits of the database', async () => {
      const deep = (depth: number): FileFilter => (depth === 0 ? { size: 1 } : { $or: [deep(depth - 1)] });
      const wide = Array.from({ length: 90 }, (_, n) => ({ [`metadata.k${n}`]: { $ne: 'x' } }) as FileFilter);
      const list = Array.from({ length: 2000 }, (_, n) => `n${n}`);
      const { count } = await search({
        filters: { $or: [...wide, deep(7), { name: list }, { $and: [{ name: { $like: '%_'.repeat(1000) } }] }] },
      });
      expect(count).toBe(1);
    });
  });
}

describe('a search', () => {
  const deep = (depth: number): FileFilter => (depth === 0 ? {} : { $and: [deep(depth - 1)] });
  const cyclic: { $and: unknown[] } = { $and: [] };
  cyclic.$and.push(cyclic);

  it.each<[string, unknown, string]>([
    ['an unknown option', { filter: {} }, "'filter'"],
    ['a limit above 1000', { limit: 1001 }, 'limit'],
    ['a negative offset', { offset: -1 }, 'offset'],
    ['an unknown field', { filters: { color: 'red' } }, 'filters.color'],
    ['a member of every object', { filters: { constructor: 'x' } }, 'filters.constructor'],
    ['an unknown operator', { filters: { size: { $near: 1 } } }, 'filters.size.$near'],
    ['undefined', { filters: { ownerId: undefined } }, 'filters.ownerId'],
    ['a text for a size', { filters: { size: { $gt: '10' } } }, 'filters.size.$gt'],
    ['a fraction for a size', { filters: { size: 1.5 } }, 'filters.size'],
    ['a number for a date', { filters: { createdAt: 0 } }, 'filters.createdAt'],
    ['an instant without offset', { filters: { createdAt: '2024-01-01T00:00:00' } }, 'filters.createdAt'],
    ['a day that is none', { filters: { createdAt: '2024-99-01' } }, 'filters.createdAt'],
    ['a number for a boolean', { filters: { pinned: 1 } }, 'filters.pinned'],
    ['an order of booleans', { filters: { pinned: { $gt: false } } }, 'filters.pinned.$gt'],
    ['what is no id', { filters: { id: '7' } }, 'filters.id'],
    ['a pattern on an id', { filters: { id: { $like: '%' } } }, 'filters.id.$like'],
    ['NUL', { filters: { name: 'a\u0000' } }, 'filters.name'],
    ['half a character', { filters: { 'metadata.a': '\ud83d' } }, 'filters.metadata.a'],
    ['a quote in a path', { filters: { 'metadata.a"b': 1 } }, 'filters.metadata.a"b'],
    ['a path into a text', { filters: { 'name.a': 1 } }, 'filters.name.a'],
    ['a list that is none', { filters: { name: { $in: 'a' } } }, 'filters.name.$in'],
    ['a lonely backslash', { filters: { name: { $like: 'a\\' } } }, 'filters.name.$like'],
    ['no condition', { filters: { metadata: {} } }, 'filters.metadata'],
    ['an owner without id', { filters: { owner: { type: 'user' } } }, 'filters.owner'],
    ['too deep a filter', { filters: deep(9) }, `filters${'.$and[0]'.repeat(9)}`],
    ['a filter that contains itself', { filters: cyclic }, `filters${'.$and[0]'.repeat(9)}`],
    ['too wide a filter', { filters: { $or: Array.from({ length: 201 }, () => ({})) } }, 'filters'],
    ['too long a list', { filters: { name: Array.from({ length: 2001 }, () => 'a') } }, 'filters.name'],
    ['a sort by an unknown field', { sort: 'colour' }, 'sort'],
    ['a sort by JSON', { sort: ['name', 'metadata'] }, 'sort[1]'],
    ['a field twice', { sort: ['name', ['name', 'desc']] }, 'sort'],
    ['a direction that is none', { sort: [['name', 'down']] }, 'sort'],
    ['a cursor that is none', { cursor: 'x' }, 'cursor'],
  ])('is refused for %s', async (_, options, at) => {
    const { dataSource, statements } = await filesHarness();
    statements.length = 0;
    const refusal = await searchFiles(dataSource, options as SearchOptions).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SearchQueryInvalidError);
    expect(refusal).toMatchObject({ code: 'FILES_SEARCH_QUERY_INVALID', at });
    expect(statements).toEqual([]);
  });
});
