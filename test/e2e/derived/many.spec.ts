import { TypeOrmModule } from '@nestjs/typeorm';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FileField, OwnsFiles } from 'nestjs-files';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { insertRows } from '../../../lib/files/insert-row.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { reachableDatabases } from '../../support/databases.js';
import { derivedApp } from '../../support/derived-app.js';

@Entity()
@OwnsFiles('album', { onDelete: 'delete' })
class Album {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @Column('simple-json', { nullable: true }) photoIds!: string[] | null;
}

// SQLite takes 32 766 parameters, and PostgreSQL so many that their rows would take a test long to insert.
const MANY = { memory: 32_767, postgres: 10_001, mariadb: 10_001 } as Record<string, number>;

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('many derived files on $name', (database) => {
  /** An owner with one file, from which many are derived. */
  async function world() {
    const { options, drop } = await database.create();
    onTestFinished(drop);
    const app = await derivedApp({ database: options, imports: [TypeOrmModule.forFeature([Album])] });
    const albums = app.dataSource.getRepository(Album);
    const album = await albums.save({});
    const owner = { type: 'album', id: String(album.id) };
    const { id } = await app.files.create(Buffer.from('photo'), { name: 'a.bin', owner });
    const original = await app.files.findOrFail(id);
    for (let left = MANY[database.kind]!; left > 0; left -= 1000) {
      const rows = Array.from({ length: Math.min(left, 1000) }, () => {
        const own = uuidV7();
        const place = { id: own, location: own, locationKey: own };
        return { ...original, ...place, ownerType: 'file', ownerId: id, ownerField: own } as ManagedFile;
      });
      await insertRows(app.dataSource.manager, ManagedFile, rows);
    }
    return { app, albums, album, id };
  }

  it('go with the owner of their original', async () => {
    const { app, albums, album } = await world();
    await app.queue.run(() => albums.remove(album));
    expect([await app.rows.count(), await app.kept(), await app.intents()]).toEqual([0, [], 0]);
  });

  it('go with their original', async () => {
    const { app, id } = await world();
    await app.files.deleteAll([id]);
    expect([await app.rows.count(), await app.kept(), await app.intents()]).toEqual([0, [], 0]);
  });
});
