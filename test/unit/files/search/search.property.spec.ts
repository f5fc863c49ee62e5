import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManagedFile } from '../../../../lib/files/managed-file.entity.js';
import { searchFiles } from '../../../../lib/files/search/search-files.js';
import { reachableDatabases } from '../../../support/databases.js';
import type { OpenDatabase } from '../../../support/databases.js';
import { matches } from '../../../support/filter-evaluation.js';
import { anyFile, anyFilter, anySort } from '../../../support/search-arbitraries.js';

for (const kind of await reachableDatabases('memory', 'postgres', 'mariadb')) {
  describe(`searches on ${kind.name}`, () => {
    const files = fc.array(anyFile(kind), { minLength: 5, maxLength: 40 });
    let database: OpenDatabase;

    beforeAll(async () => {
      database = await kind.open({ entities: [ManagedFile] });
    });

    afterAll(() => database.close());

    const search = (options: Parameters<typeof searchFiles>[1]) => searchFiles(database.dataSource, options);

    const store = async (rows: readonly ManagedFile[]): Promise<void> => {
      const repository = database.dataSource.getRepository(ManagedFile);
      await repository.clear();
      await repository.insert(rows.map((row) => ({ ...row })) as object[]);
    };

    it('find what the description of the filters says', async () => {
      const filters = fc.array(anyFilter, { minLength: 20, maxLength: 40 });
      await fc.assert(
        fc.asyncProperty(files, filters, async (rows, asked) => {
          await store(rows);
          for (const filter of asked) {
            const expected = rows.filter((row) => matches(row, filter)).map(({ id }) => id);
            const { count, results } = await search({ filters: filter, limit: 1000 });
            expect(results.map(({ id }) => id)).toEqual(expected.toSorted());
            expect(count).toBe(expected.length);
          }
        }),
        { numRuns: 20 },
      );
    });

    it('give every file once and in order, page by page', async () => {
      await fc.assert(
        fc.asyncProperty(
          files,
          fc.array(anySort, { minLength: 4, maxLength: 8 }),
          fc.integer({ min: 1, max: 9 }),
          async (rows, sorts, size) => {
            await store(rows);
            for (const sort of sorts) {
              const expected = inOrder(rows, sort);
              const byCursor: string[] = [];
              let cursor: string | null = null;
              do {
                const page = await search({ sort, limit: size, cursor });
                expect(page.count).toBe(rows.length);
                byCursor.push(...page.results.map(({ id }) => id));
                cursor = page.next;
              } while (cursor !== null);
              expect(byCursor).toEqual(expected);
              const byOffset = await search({ sort, offset: size, limit: size });
              expect(byOffset.results.map(({ id }) => id)).toEqual(expected.slice(size, 2 * size));
            }
          },
        ),
        { numRuns: 12 },
      );
    });
  });
}

type Sort = readonly (readonly [keyof ManagedFile, 'asc' | 'desc'])[];

function inOrder(rows: readonly ManagedFile[], sort: Sort): string[] {
  const keys: Sort = [...sort, ['id', sort.at(-1)?.[1] ?? 'asc']];
  const compare = (one: ManagedFile, two: ManagedFile): number => {
    for (const [field, direction] of keys) {
      const difference = rank(one[field], two[field]);
      if (difference !== 0) return direction === 'asc' ? difference : -difference;
    }
    return 0;
  };
  return rows.toSorted(compare).map(({ id }) => id);
}

function rank(one: unknown, two: unknown): number {
  const [left, right] = [one, two] as [number | null, number | null];
  if (left === null || right === null) return Number(left !== null) - Number(right !== null);
  return left < right ? -1 : Number(left > right);
}
