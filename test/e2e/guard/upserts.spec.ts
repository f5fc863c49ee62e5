import { randomUUID } from 'node:crypto';
import {
  BeforeInsert,
  ChildEntity,
  Column,
  Entity,
  Like,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
  Unique,
} from 'typeorm';
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

/** No column has a default: TypeORM itself would read those of more rows than SQLite takes. */
@Entity()
@OwnsFiles('word')
class Word {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar', { unique: true, length: 60 }) text!: string;
  @FileField() @Column('uuid', { nullable: true }) imageId!: string | null;
}

/** Its key has two columns. */
@Entity()
@OwnsFiles('seat', { idField: 'row' })
class Seat {
  @PrimaryColumn('int') row!: number;
  @PrimaryColumn('int') place!: number;
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
    app = await guardedApp({ database, entities: [Chapter, Setting, Badge, Flag, Label, Word, Seat, Sign, RoadSign] });
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

  // SQLite takes no more than 1000 terms in one condition.
  it.each([
    ['a unique text', () => ({})],
    ['a unique text and a key', () => ({ id: randomUUID() })],
  ])('are checked in any number, found by %s', async (_, more) => {
    const words = app.dataSource.getRepository(Word);
    const prefix = randomUUID();
    const texts = Array.from({ length: 1200 }, (__, at) => `${prefix} ${at}`);
    const { id } = await words.save({ text: texts[1100], ...more() });
    const own = await app.fileOf('word', id);
    const upsert = (imageId: string) =>
      words.upsert(
        texts.map((text, at) => ({
          ...more(),
          text,
          imageId: at === 1100 ? imageId : null,
          ...(at === 1100 && { id }),
        })),
        ['text'],
      );
    await expect(upsert(await app.upload('bob'))).rejects.toThrow(FilesNotOwnError);
    expect(await words.findBy({ text: Like(`${prefix} %`) })).toMatchObject([{ id, imageId: null }]);
    await upsert(own);
    expect(await words.countBy({ text: Like(`${prefix} %`) })).toBe(1200);
    expect(await words.findBy({ imageId: own })).toMatchObject([{ id, text: texts[1100] }]);
  });

  it('are checked in any number, found by a key of two columns', async () => {
    const seats = app.dataSource.getRepository(Seat);
    const own = await app.fileOf('seat', 11);
    const upsert = (imageId: string) =>
      seats.upsert(
        Array.from({ length: 1200 }, (_, at) => ({
          row: Math.floor(at / 100),
          place: at % 100,
          imageId: at === 1150 ? imageId : null,
        })),
        ['row', 'place'],
      );
    await expect(upsert(await app.upload('bob'))).rejects.toThrow(FilesNotOwnError);
    expect(await seats.count()).toBe(0);
    await upsert(own);
    expect(await seats.count()).toBe(1200);
    expect(await seats.findBy({ imageId: own })).toMatchObject([{ row: 11, place: 50 }]);
  });

  it('are checked where a number is given for a unique text', async () => {
    const words = app.dataSource.getRepository(Word);
    const { id } = await words.save({ text: '7' });
    const foreign = await app.upload('bob');
    const upsert = words.upsert({ text: 7 as never, imageId: foreign }, ['text']);
    await expect(upsert).rejects.toThrow(FilesNotOwnError);
    expect(await words.findOneByOrFail({ id })).toMatchObject({ imageId: null });
  });
});
