import { BeforeInsert, Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileField, OwnsFiles } from '../../../lib/index.js';
import { FilesNotOwnError, RecordWriteUnseenError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';

/** What is unique about it is made when it is inserted. */
@Entity()
@OwnsFiles('chapter')
class Chapter {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar', { default: '' }) title!: string;
  @Column('varchar', { unique: true, length: 40 }) slug!: string;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;

  @BeforeInsert() makeSlug(): void {
    this.slug ??= this.title.toLowerCase();
  }
}

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('Upserts on $name', (database) => {
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({ database, entities: [Chapter] });
  });
  afterAll(() => app.close());

  const chapters = () => app.dataSource.getRepository(Chapter);

  it('leave a foreign file unnamed where a listener makes the unique value', async () => {
    const { id } = await chapters().save(chapters().create({ title: 'Hello' }));
    const own = await app.fileOf('chapter', id);
    await chapters().update(id, { fileId: own });
    const foreign = await app.upload('bob');
    const upsert = (fileId: string) => chapters().upsert(chapters().create({ title: 'Hello', fileId }), ['slug']);
    await expect(upsert(foreign)).rejects.toThrow(FilesNotOwnError);
    await expect(app.queue.run(() => upsert(foreign))).rejects.toThrow(FilesNotOwnError);
    await upsert(own);
    expect(await chapters().findOneByOrFail({ slug: 'hello' })).toMatchObject({ fileId: own });
    expect(await app.ownerOf(own)).toBe(`chapter ${id}*`);
  });

  it('are refused where SQL computes the unique value', async () => {
    await chapters().save(chapters().create({ title: 'SQL' }));
    const foreign = await app.upload('bob');
    const value = { title: 'SQL', slug: () => "'sql'", fileId: foreign };
    await expect(chapters().upsert(value as never, ['slug'])).rejects.toThrow(RecordWriteUnseenError);
    expect(await chapters().countBy({ fileId: foreign })).toBe(0);
  });
});
