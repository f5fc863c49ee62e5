import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SearchQueryInvalidError } from '../../../../lib/errors/requests.errors.js';
import { ManagedFile } from '../../../../lib/files/managed-file.entity.js';
import { searchFiles } from '../../../../lib/files/search/search-files.js';
import { reachableDatabases } from '../../../support/databases.js';
import type { OpenDatabase } from '../../../support/databases.js';
import { anyFile, anyJunkFilter, anyJunkSearch } from '../../../support/search-arbitraries.js';

for (const kind of await reachableDatabases('memory', 'postgres', 'mariadb')) {
  describe(`junk on ${kind.name}`, () => {
    let database: OpenDatabase;

    beforeAll(async () => {
      database = await kind.open({ entities: [ManagedFile] });
      const rows = fc.sample(anyFile(kind), 20);
      await database.dataSource.getRepository(ManagedFile).insert(rows.map((row) => ({ ...row })) as object[]);
    });

    afterAll(() => database.close());

    it.each([
      ['searches', anyJunkSearch],
      ['filters', anyJunkFilter.map((filters) => ({ filters }))],
    ])('is answered, or refused with a SearchQueryInvalidError, in %s', async (_, arbitrary) => {
      const outcomes = { answered: 0, refused: 0 };
      await fc.assert(
        fc.asyncProperty(arbitrary, async (options) => {
          try {
            await searchFiles(database.dataSource, options as object);
            outcomes.answered++;
          } catch (error) {
            expect(error).toBeInstanceOf(SearchQueryInvalidError);
            outcomes.refused++;
          }
        }),
        { numRuns: 1500 },
      );
      expect(outcomes.refused).toBeGreaterThan(500);
    });
  });
}
