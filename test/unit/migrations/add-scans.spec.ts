import { expect, it } from 'vitest';
import { FILES_ENTITIES } from '../../../lib/files.module.js';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { AddScans1767225600005 } from '../../../lib/migrations/add-scans.migration.js';
import { FILES_MIGRATIONS } from '../../../lib/migrations/files-migrations.js';
import { dialectOf } from '../../../lib/unit-of-work/dialects/dialect-of.js';
import { reachableDatabases } from '../../support/databases.js';

const entities = [...FILES_ENTITIES];
const AT = FILES_MIGRATIONS.indexOf(AddScans1767225600005);
const BEFORE = { entities, migrations: FILES_MIGRATIONS.slice(0, AT) };
const NOW = { entities, migrations: [...FILES_MIGRATIONS] };

for (const kind of await reachableDatabases('file', 'postgres', 'mariadb')) {
  it(`adds the columns of scans to a table with files on ${kind.name}, and takes them off again`, async () => {
    const database = await kind.open({ entities: [] });
    const old = await database.connect(BEFORE);
    await old.runMigrations();
    const id = uuidV7();
    const values = `'${id}', 'a', 'default', 'there', 'key', 'text/plain', 1, 'hash', 'sha256', 1, false`;
    const columns =
      'id, name, storage, location, location_key, content_type, size, hash, hash_algorithm, created_at, pinned';
    await old.query(`INSERT INTO files_file (${columns}) VALUES (${values})`);
    const isSqlite = dialectOf(old).family === 'sqlite';
    if (isSqlite) {
      await old.query('CREATE TABLE child (file_id varchar REFERENCES files_file (id) ON DELETE CASCADE)');
      await old.query(`INSERT INTO child VALUES ('${id}')`);
    }

    const now = await database.connect(NOW);
    await now.runMigrations();
    const files = await now.getRepository(ManagedFile).find();
    expect(files).toMatchObject([{ id, name: 'a', scan: null, scanner: null, finding: null }]);
    await now.getRepository(ManagedFile).update(id, { scan: 'pending', scanner: 'clamav' });
    const { upQueries } = await now.driver.createSchemaBuilder().log();
    expect(upQueries).toEqual([]);

    for (let undone = AT; undone < FILES_MIGRATIONS.length; undone++) await now.undoLastMigration();
    expect(await now.query('SELECT name FROM files_file')).toEqual([{ name: 'a' }]);
    await expect(now.query('SELECT scan FROM files_file')).rejects.toThrow('scan');
    // A table that is made anew would lose what refers to it.
    if (isSqlite) expect(await now.query('SELECT file_id FROM child')).toEqual([{ file_id: id }]);
    await database.close();
  });
}
