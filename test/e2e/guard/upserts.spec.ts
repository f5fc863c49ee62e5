import { BeforeInsert, ChildEntity, Column, Entity, PrimaryGeneratedColumn, TableInheritance, Unique } from 'typeorm';
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

/** One for each place, which has a default. */
@Entity()
@OwnsFiles('setting')
class Setting {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar', { unique: true, length: 40, default: 'main' }) place!: string;
  @FileField({ onReplace: 'delete' }) @Column('uuid', { nullable: true }) logoId!: string | null;
}

/** The database computes the default. */
@Entity()
@OwnsFiles('badge')
class Badge {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar', { unique: true, length: 40, default: () => "'main'" }) place!: string;
  @FileField({ onReplace: 'delete' }) @Column('uuid', { nullable: true }) logoId!: string | null;
}

/** Only a migration has made its code unique. */
@Entity()
@OwnsFiles('flag')
class Flag {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar', { length: 40 }) code!: string;
  @FileField() @Column('uuid', { nullable: true }) imageId!: string | null;
}

/** The database computes what is unique. */
@Entity()
@OwnsFiles('label')
class Label {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar', { length: 40 }) text!: string;
  @Column({
    type: 'varchar',
    length: 40,
    unique: true,
    insert: false,
    asExpression: 'lower(text)',
    generatedType: 'STORED',
  })
  key!: string;
  @FileField() @Column('uuid', { nullable: true }) imageId!: string | null;
}

@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'kind', length: 20 } })
@Unique(['kind', 'name'])
@OwnsFiles('sign')
class Sign {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar', { length: 20 }) kind!: string;
  @Column('varchar', { length: 40 }) name!: string;
  @FileField() @Column('uuid', { nullable: true }) imageId!: string | null;
}
@ChildEntity()
class RoadSign extends Sign {}

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('Upserts on $name', (database) => {
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({ database, entities: [Chapter, Setting, Badge, Flag, Label, Sign, RoadSign] });
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

  it('are refused where the database generates the unique value', async () => {
    const labels = app.dataSource.getRepository(Label);
    const { id } = await labels.save({ text: 'Stop' });
    const foreign = await app.upload('bob');
    await expect(labels.upsert({ text: 'stop', imageId: foreign }, ['key'])).rejects.toThrow(RecordWriteUnseenError);
    expect(await labels.find()).toMatchObject([{ id, imageId: null }]);
  });

  it('are refused by a constraint that the entity does not declare', async () => {
    const flags = app.dataSource.getRepository(Flag);
    const upsert = flags
      .createQueryBuilder()
      .insert()
      .values({ code: 'b', imageId: await app.upload('bob') });
    const byName = () => upsert.orUpdate(['imageId'], 'flag_code').execute();
    await expect(byName()).rejects.toThrow(RecordWriteUnseenError);
    expect(await flags.countBy({ code: 'b' })).toBe(0);
  });

  it.each<[string, new () => Setting | Badge]>([
    ['setting', Setting],
    ['badge', Badge],
  ])('are checked where the unique value is a default: %s', async (type, entity) => {
    const settings = app.dataSource.getRepository<Setting | Badge>(entity);
    const { id } = await settings.save({});
    const [own, next] = [await app.fileOf(type, id), await app.fileOf(type, id)];
    await settings.upsert({ logoId: own }, ['place']);
    const foreign = await app.upload('bob');
    await expect(settings.upsert({ logoId: foreign }, ['place'])).rejects.toThrow(FilesNotOwnError);
    expect(await settings.find()).toMatchObject([{ id, logoId: own }]);
    await settings.upsert({ logoId: next }, ['place']);
    expect([await app.ownerOf(own), await app.ownerOf(next)]).toEqual([undefined, `${type} ${id}*`]);
  });

  it('are checked where only the database knows what is unique', async () => {
    const flags = app.dataSource.getRepository(Flag);
    await app.dataSource.query('CREATE UNIQUE INDEX flag_code ON flag (code)');
    const { id } = await flags.save({ code: 'a' });
    const foreign = await app.upload('bob');
    const upsert = flags.createQueryBuilder().insert().values({ code: 'a', imageId: foreign });
    await expect(upsert.orUpdate(['imageId'], ['code']).execute()).rejects.toThrow(FilesNotOwnError);
    expect(await flags.findOneByOrFail({ id })).toMatchObject({ imageId: null });
  });

  it('are checked where the class of the row is a part of what is unique', async () => {
    const signs = app.dataSource.getRepository(RoadSign);
    const { id } = await signs.save({ name: 'stop' });
    const foreign = await app.upload('bob');
    await expect(signs.upsert({ name: 'stop', imageId: foreign }, ['kind', 'name'])).rejects.toThrow(FilesNotOwnError);
    expect(await signs.findOneByOrFail({ id })).toMatchObject({ imageId: null });
  });
});
