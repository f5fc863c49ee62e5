import { randomUUID } from 'node:crypto';
import { Body, Controller, Post, ValidationPipe } from '@nestjs/common';
import {
  ChildEntity,
  Column,
  DataSource,
  DefaultNamingStrategy,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
} from 'typeorm';
import type { DataSourceOptions, Relation } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileField, ManagedFile, OwnsFiles, TransferOwnership, WithTaskQueue } from '../../../lib/index.js';
import { FilesNotOwnError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import type { TestDatabase } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { isTypeorm03 } from '../../support/versions.js';

/** A value that stands for an id. */
class Ref {
  constructor(readonly file: string) {}
}
const ref = {
  to: (value: Ref | null | undefined) => value?.file ?? value,
  from: (stored: string | null) => (stored === null ? null : new Ref(stored)),
};
const joined = {
  to: (value: Set<string> | undefined) => (value === undefined ? undefined : [...value].join(' + ')),
  from: (stored: string | null) => new Set(stored ? stored.split(' + ') : []),
};

/** Refuses whatever is no list, unlike `joined`. */
const commas = {
  to: (ids: string[] | null | undefined) => ids?.join(','),
  from: (stored: string | null) => stored?.split(',') ?? null,
};
/** Ids that the application reads with a prefix. */
const prefixed = { to: (id: string | undefined) => id?.slice(4), from: (stored: string) => `pkg_${stored}` };

class Cover {
  @FileField({ onReplace: 'release' }) @Column('varchar', { length: 36, nullable: true }) imageId!: string | null;
  @Column('varchar', { default: '' }) alt!: string;
}

@Entity()
@OwnsFiles('shape')
class Shape {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @FileField() @Column('varchar', { length: 36, nullable: true }) text!: string | null;
  @FileField({ onReplace: 'release' }) @Column('simple-array', { nullable: true }) simpleArray!: string[] | null;
  @FileField({ onReplace: 'release' }) @Column('simple-json', { nullable: true }) simpleJson!: string[] | null;
  @FileField({ onReplace: 'release' }) @Column('json', { nullable: true }) json!: string[] | null;
  @FileField() @Column('varchar', { length: 36, nullable: true, transformer: ref }) reference!: Ref | null;
  @FileField() @Column('text', { nullable: true, transformer: joined as never }) joined!: Set<string> | null;
  @Column(() => Cover) cover!: Cover;
}

@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'kind', length: 20 } })
@OwnsFiles('animal')
class Animal {
  @PrimaryGeneratedColumn() id!: number;
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) photoId!: string | null;
}
@ChildEntity()
@OwnsFiles('dog')
class Dog extends Animal {
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) licenceId!: string | null;
}
@ChildEntity()
class Cat extends Animal {}

/** Only some of the classes of its table own files, each by an id of its own. */
@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'kind', length: 20 } })
class Plant {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { length: 40, default: '' }) name!: string;
}
@ChildEntity()
@OwnsFiles('tree', { onDelete: 'delete' })
class Tree extends Plant {
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) mapId!: string | null;
}
@ChildEntity()
@OwnsFiles('fern', { idField: 'tag' })
class Fern extends Plant {
  @Column('varchar', { length: 20, nullable: true, unique: true }) tag!: string | null;
  @FileField() @Column('uuid', { nullable: true }) pressedId!: string | null;
}
@ChildEntity()
class Moss extends Plant {}

abstract class Base {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}
@Entity()
@OwnsFiles('leaf')
class Leaf extends Base {}

/** A table of its own, with the columns of another entity. */
@Entity()
@OwnsFiles('twig')
class Twig extends Leaf {
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) budId!: string | null;
}

@Entity()
@OwnsFiles('ledger')
class BigLedger {
  @PrimaryColumn('bigint') id!: string;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

@Entity()
@OwnsFiles('line', { idField: 'code', onDelete: 'delete' })
class OrderLine {
  @PrimaryColumn('int') order!: number;
  @PrimaryColumn('int') line!: number;
  @Column('varchar', { length: 40, unique: true }) code!: string;
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) fileId!: string | null;
}

/** Its files belong to a shelf, if it stands on one. */
@Entity()
@OwnsFiles('stand', { idField: 'standId' })
class Leaflet {
  @PrimaryGeneratedColumn() id!: number;
  @Column('int', { nullable: true }) standId!: number | null;
  @FileField() @Column('uuid', { nullable: true }) coverId!: string | null;
}

/** With the columns that only PostgreSQL has, in a schema of its own. */
@Entity({ schema: 'guarded' })
@OwnsFiles('cabinet')
class Cabinet {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @FileField({ onReplace: 'release' }) @Column('uuid', { array: true, default: [] }) uuids!: string[];
  @FileField({ onReplace: 'release' }) @Column('varchar', { array: true, nullable: true }) texts!: string[] | null;
  @FileField({ onReplace: 'release' }) @Column('jsonb', { default: [] }) jsonb!: string[];
  @FileField({ onReplace: 'release' })
  @ManyToOne(() => ManagedFile, { nullable: true })
  @JoinColumn({ name: 'front_file' })
  front!: Relation<ManagedFile> | null;
}

/** With the list that only PostgreSQL and SQLite have. */
@Entity()
@OwnsFiles('tray')
class Tray {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @FileField({ onReplace: 'release' }) @Column('jsonb', { default: [] }) jsonb!: string[];
}

@Entity()
@OwnsFiles('parcel')
class Parcel {
  @PrimaryColumn('uuid', { transformer: prefixed }) id!: string;
  @FileField({ onReplace: 'release' }) @Column('simple-array', { nullable: true }) fileIds!: string[] | null;
}

@Entity()
@OwnsFiles('label', { idField: 'code' })
class Label {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { length: 40, unique: true, transformer: prefixed }) code!: string;
  @FileField() @Column('text', { nullable: true, transformer: commas }) fileIds!: string[] | null;
}

class Place {
  @PrimaryColumn('int') aisle!: number;
  @PrimaryColumn('int') level!: number;
}

/** Its key is in an embedded object. */
@Entity()
@OwnsFiles('pallet', { idField: 'code', onDelete: 'delete' })
class Pallet {
  @Column(() => Place) place!: Place;
  @Column('varchar', { length: 40 }) code!: string;
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) fileId!: string | null;
}

class LabelDto {
  @TransferOwnership('label') fileIds!: string[];
}

/** Claims files for a row, and does not write it. */
@Controller('labels')
class LabelsController {
  @Post() @WithTaskQueue() claim(@Body() _dto: LabelDto) {
    return {};
  }
}

const OWNERS = [Parcel, Label, Pallet];
const ENTITIES = [
  ...OWNERS,
  Leaflet,
  Shape,
  Animal,
  Dog,
  Cat,
  Plant,
  Tree,
  Fern,
  Moss,
  Leaf,
  Twig,
  BigLedger,
  OrderLine,
];

class Snake extends DefaultNamingStrategy {
  override columnName(property: string, custom: string | undefined, prefixes: string[]): string {
    return custom ?? `c_${[...prefixes, property].join('_').toLowerCase()}`;
  }
  override tableName(target: string, given: string | undefined): string {
    return `t_${given ?? target.toLowerCase()}`;
  }
}

/** The same database with other names. */
function renamed(database: TestDatabase): TestDatabase {
  return {
    ...database,
    name: `${database.name} with a naming strategy and a prefix`,
    create: async () => {
      const { options, drop } = await database.create();
      return { options: { ...options, entityPrefix: 'p_', namingStrategy: new Snake() } as DataSourceOptions, drop };
    },
  };
}

/** The same database with the schema that `Cabinet` is in. */
function withSchema(database: TestDatabase): TestDatabase {
  return {
    ...database,
    create: async () => {
      const { options, drop } = await database.create();
      const source = await new DataSource({ ...options, synchronize: false }).initialize();
      await source.query('CREATE SCHEMA guarded');
      await source.destroy();
      return { options, drop };
    },
  };
}

const databases = await reachableDatabases('memory', 'postgres', 'mariadb');

describe.each([...databases, ...databases.map(renamed)])('Declared fields on $name', (database) => {
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({
      database,
      entities: ENTITIES,
      controllers: [LabelsController],
      prepare: (nest) => void nest.useGlobalPipes(new ValidationPipe()),
    });
  });
  afterAll(() => app.close());

  /** Saves a row that names files of the row's own, in one unit. */
  async function savedWith<T extends object>(
    entity: new () => T,
    type: string,
    value: (ids: string[]) => object,
    idOf: (row: T) => unknown = (row) => (row as { id: unknown }).id,
  ): Promise<{ row: T; ids: string[] }> {
    const ids = [await app.upload(), await app.upload()];
    const row = await app.queue.run(async () => {
      const saved = (await app.dataSource.getRepository(entity).save(value(ids) as never)) as T;
      const named = ids.filter((id) => JSON.stringify([value(ids), [...nested(value(ids))]]).includes(id));
      await app.files.transferOwnership(named, { ownerType: type, ownerId: String(idOf(saved)), pin: true });
      return saved;
    });
    return { row, ids };
  }
  const nested = (value: object): string[] =>
    Object.values(value).flatMap((one: unknown) => (one instanceof Set ? ([...one] as string[]) : []));

  it.each<[string, (ids: string[]) => object]>([
    ['varchar', ([a]) => ({ text: a })],
    ['simple-array', (ids) => ({ simpleArray: ids })],
    ['simple-json', (ids) => ({ simpleJson: ids })],
    ['json', (ids) => ({ json: ids })],
    ['a transformer of one', ([a]) => ({ reference: new Ref(a!) })],
    ['a transformer of several', (ids) => ({ joined: new Set(ids) })],
    ['an embedded column', ([a]) => ({ cover: { imageId: a, alt: '' } })],
  ])('are guarded: %s', async (_, value) => {
    const { row } = await savedWith(Shape, 'shape', value);
    expect(row.id).toMatch(/^[0-9a-f-]{36}$/);
    const foreign = [await app.upload('bob'), await app.upload('bob')];
    const shapes = app.dataSource.getRepository(Shape);
    await expect(shapes.save(value(foreign) as never)).rejects.toThrow(FilesNotOwnError);
    await expect(shapes.update(row.id, value(foreign))).rejects.toThrow(FilesNotOwnError);
    await expect(app.queue.run(() => shapes.update({ id: row.id }, value(foreign)))).rejects.toThrow(FilesNotOwnError);
  });

  it.each<[string, (ids: string[]) => object, object]>([
    ['simple-array', (ids) => ({ simpleArray: ids }), { simpleArray: [] }],
    ['simple-json', (ids) => ({ simpleJson: ids }), { simpleJson: null }],
    ['json', (ids) => ({ json: ids }), { json: [] }],
    ['an embedded column', ([a]) => ({ cover: { imageId: a, alt: '' } }), { cover: { imageId: null } }],
    [
      'an embedded column without a value',
      ([a]) => ({ cover: { imageId: a, alt: '' } }),
      { cover: { imageId: undefined, alt: 'x' } },
    ],
  ])('let go by their former value: %s', async (_, value, emptied) => {
    const { row, ids } = await savedWith(Shape, 'shape', value);
    await app.dataSource.getRepository(Shape).update(row.id, emptied);
    expect(await app.ownerOf(ids[0]!)).toBe('-');
  });

  it('belong to the class of a row in a table of several', async () => {
    const { row: dog, ids } = await savedWith(Dog, 'dog', ([a, b]) => ({ photoId: a, licenceId: b }));
    const { row: cat, ids: photos } = await savedWith(Cat, 'animal', ([a]) => ({ photoId: a }));
    await app.dataSource.getRepository(Animal).update({ id: dog.id }, { photoId: null });
    await app.dataSource.getRepository(Animal).update(cat.id, { photoId: null });
    expect(await app.ownerOf(ids[0]!)).toBe('-');
    expect(await app.ownerOf(ids[1]!)).toBe(`dog ${dog.id}*`);
    expect(await app.ownerOf(photos[0]!)).toBe('-');
    await expect(app.dataSource.getRepository(Animal).update(dog.id, { photoId: photos[0]! })).rejects.toThrow(
      /Dog|Animal/,
    );
  });

  it('are guarded in a table whose root owns nothing, also in writes through the root', async () => {
    const { row: tree, ids } = await savedWith(Tree, 'tree', ([a]) => ({ mapId: a }));
    const { row: fern, ids: pressed } = await savedWith(
      Fern,
      'fern',
      ([a]) => ({ tag: 'f1', pressedId: a }),
      () => 'f1',
    );
    const moss = await app.dataSource.getRepository(Moss).save({ name: 'green' });
    const plants = app.dataSource.getRepository(Plant);
    await plants.update({ id: moss.id }, { name: 'grey' });
    const foreign = await app.upload('bob');
    const rename = (id: number, set: object) => plants.createQueryBuilder().update().set(set).where({ id }).execute();
    await expect(rename(tree.id, { mapId: foreign })).rejects.toThrow(FilesNotOwnError);
    await expect(rename(fern.id, { pressedId: ids[0] })).rejects.toThrow(FilesNotOwnError);
    await expect(rename(moss.id, { mapId: ids[0] })).rejects.toThrow(FilesNotOwnError);
    await rename(fern.id, { tag: 'f2' });
    expect(await app.ownerOf(pressed[0]!)).toBe('fern f2*');
    await plants.delete([tree.id, fern.id, moss.id]);
    expect(await app.ownerOf(ids[0]!)).toBeUndefined();
    expect(await app.ownerOf(pressed[0]!)).toBe('fern f2*');
  });

  it('are in use only by rows of the class that owns them', async () => {
    const { row: tree, ids } = await savedWith(Tree, 'tree', ([a]) => ({ mapId: a }));
    await expect(app.files.delete(ids[0]!, { force: true })).rejects.toThrow(/still names/);
    const trees = app.dataSource.getRepository(Tree);
    await expect(app.dataSource.getRepository(Fern).update(tree.id, { pressedId: ids[0]! })).resolves.toMatchObject({
      affected: 0,
    });
    await trees.update(tree.id, { mapId: null });
    expect(await app.ownerOf(ids[0]!)).toBe('-');
  });

  it('name nothing where a row has no owner id', async () => {
    const leaflets = app.dataSource.getRepository(Leaflet);
    const file = await app.upload('bob');
    await expect(leaflets.save({ standId: null, coverId: file })).rejects.toThrow(FilesNotOwnError);
    await expect(app.queue.run(() => leaflets.insert({ coverId: file }))).rejects.toThrow(FilesNotOwnError);
    const { id } = await leaflets.save({ standId: 7 });
    await leaflets.update(id, { coverId: await app.fileOf('stand', 7) });
    await expect(leaflets.update(id, { standId: null })).rejects.toThrow(FilesNotOwnError);
    await leaflets.update(id, { standId: null, coverId: null });
    expect(await leaflets.countBy({ coverId: file })).toBe(0);
  });

  it('are inherited from a class that is not an entity', async () => {
    await savedWith(Leaf, 'leaf', ([a]) => ({ fileId: a }));
    const file = await app.upload('bob');
    await expect(app.dataSource.getRepository(Leaf).save({ fileId: file })).rejects.toThrow(FilesNotOwnError);
  });

  it('are inherited from an entity with a table of its own', async () => {
    const { row: leaf, ids: leaves } = await savedWith(Leaf, 'leaf', ([a]) => ({ fileId: a }));
    const { row: twig, ids } = await savedWith(Twig, 'twig', ([a, b]) => ({ fileId: a, budId: b }));
    await expect(app.dataSource.getRepository(Twig).update(twig.id, { fileId: leaves[0]! })).rejects.toThrow(/Twig/);
    await expect(app.dataSource.getRepository(Leaf).update(leaf.id, { fileId: ids[0]! })).rejects.toThrow(/Leaf/);
    await app.dataSource.getRepository(Twig).update(twig.id, { budId: null });
    expect(await app.ownerOf(ids[1]!)).toBe('-');
  });

  it('belong to owners with large numbers', async () => {
    await savedWith(BigLedger, 'ledger', ([a]) => ({ id: '9007199254740991', fileId: a }));
    const file = await app.fileOf('ledger', '9007199254740991');
    await app.dataSource.getRepository(BigLedger).update('9007199254740991', { fileId: file });
    await app.dataSource.getRepository(BigLedger).update({ id: '09007199254740991' }, { fileId: file });
    await expect(app.files.delete(file, { force: true })).rejects.toThrow(/still names/);
  });

  it('belong to owners with composite keys, by idField', async () => {
    const value = ([a]: string[]) => ({ order: 7, line: 1, code: '7/1', fileId: a });
    const { ids } = await savedWith(OrderLine, 'line', value, () => '7/1');
    const lines = app.dataSource.getRepository(OrderLine);
    const other = await app.fileOf('line', '7/1');
    await lines.update({ order: 7, line: 1 }, { fileId: other });
    expect(await app.ownerOf(ids[0]!)).toBe('-');
    await lines.delete({ order: 7, line: 1 });
    expect(await app.ownerOf(other)).toBeUndefined();
  });

  it('stay with a row whose embedded key changes in part', async () => {
    const pallets = app.dataSource.getRepository(Pallet);
    const place = { aisle: 3, level: 1 };
    await pallets.save({ place, code: '3/1' });
    const file = await app.fileOf('pallet', '3/1');
    await pallets.update({ place }, { fileId: file });
    await app.queue.run(() => pallets.update({ place }, { place: { aisle: 4 } }));
    expect(await app.ownerOf(file)).toBe('pallet 3/1*');
    expect(await pallets.countBy({ place: { aisle: 4, level: 1 }, fileId: file })).toBe(1);
    const other = await app.fileOf('pallet', '3/1');
    await pallets.update({ place: { aisle: 4, level: 1 } }, { place: { level: 2 }, fileId: other });
    expect([await app.ownerOf(file), await app.ownerOf(other)]).toEqual(['-', 'pallet 3/1*']);
  });

  it('are in use by owners whose id a transformer changes', async () => {
    const id = `pkg_${randomUUID()}`;
    const { ids } = await savedWith(Parcel, 'parcel', (fileIds) => ({ id, fileIds }));
    await expect(app.files.delete(ids[0]!, { force: true })).rejects.toThrow(/still names/);
    await expect(
      app.files.transferOwnership(ids[0]!, { ownerType: 'user', ownerId: 'bob', force: true }),
    ).rejects.toThrow(/still names/);
    const none = await app.fileOf('parcel', 'pkg_none');
    await app.files.delete(none, { force: true });
    expect(await app.ownerOf(none)).toBeUndefined();
  });

  it('may be claimed again for a column whose transformer takes lists alone', async () => {
    const { ids } = await savedWith(
      Label,
      'label',
      (fileIds) => ({ code: 'pkg_a', fileIds }),
      ({ code }) => code,
    );
    await app.files.unpin(ids[0]!);
    const { status, body } = await app.send('POST', '/labels', { fileIds: ids }, 'admin');
    expect([status, body]).toEqual([201, {}]);
    expect(await app.ownerOf(ids[0]!)).toBe('label pkg_a*');
  });
});

const withBinaryJson = databases.filter(({ kind }) => kind === 'postgres' || (kind === 'memory' && !isTypeorm03));

describe.each(withBinaryJson)('Declared fields of binary JSON on $name', (database) => {
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({ database, entities: [Tray] });
  });
  afterAll(() => app.close());

  it('are in use, may be given again, and let go by their former value', async () => {
    const trays = app.dataSource.getRepository(Tray);
    const { id } = await trays.save({});
    const ids = [await app.fileOf('tray', id), await app.fileOf('tray', id)];
    await expect(trays.save({ jsonb: [await app.upload('bob')] })).rejects.toThrow(FilesNotOwnError);
    await trays.save({ id, jsonb: ids });
    await expect(trays.update(id, { jsonb: [await app.upload('bob')] })).rejects.toThrow(FilesNotOwnError);
    await expect(app.files.delete(ids[0]!, { force: true })).rejects.toThrow(/still names/);
    await app.queue.run(() => app.files.transferOwnership(ids, { ownerType: 'tray', ownerId: id, pin: true }));
    await trays.update(id, { jsonb: [ids[1]!] });
    expect(await app.ownerOf(ids[0]!)).toBe('-');
    expect(await app.ownerOf(ids[1]!)).toBe(`tray ${id}*`);
  });
});

describe.each(databases.filter(({ kind }) => kind === 'postgres'))('Declared fields of $name alone', (database) => {
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({ database: withSchema(database), entities: [Cabinet] });
  });
  afterAll(() => app.close());

  it.each<[string, (ids: string[]) => object, object]>([
    ['a list of uuids', (ids) => ({ uuids: ids }), { uuids: [] }],
    ['a list of texts', (ids) => ({ texts: ids }), { texts: null }],
    ['jsonb', (ids) => ({ jsonb: ids }), { jsonb: [] }],
    ['a join column', ([id]) => ({ front: { id } }), { front: null }],
  ])('are guarded, and let go by their former value: %s', async (_, value, emptied) => {
    const cabinets = app.dataSource.getRepository(Cabinet);
    const { id } = await cabinets.save({});
    const ids = [await app.fileOf('cabinet', id), await app.fileOf('cabinet', id)];
    const foreign = [await app.upload('bob'), await app.upload('bob')];
    await expect(cabinets.save(value(foreign))).rejects.toThrow(FilesNotOwnError);
    await cabinets.save({ id, ...value(ids) });
    await expect(cabinets.update(id, value(foreign))).rejects.toThrow(FilesNotOwnError);
    await expect(app.files.delete(ids[0]!, { force: true })).rejects.toThrow(/still names/);
    await cabinets.save({ id, ...emptied });
    expect(await app.ownerOf(ids[0]!)).toBe('-');
  });
});
