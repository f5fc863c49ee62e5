import { Body, Controller, Param, Patch } from '@nestjs/common';
import { IsOptional, IsString } from 'class-validator';
import {
  ChildEntity,
  Column,
  DataSource,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
} from 'typeorm';
import type { EntitySubscriberInterface, Relation } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileField, ManagedFile, OwnsFiles } from '../../../lib/index.js';
import { FilesInUseError, FilesNotOwnError, RecordWriteUnseenError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';

@Entity()
@OwnsFiles('memo')
class Memo {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

@Entity()
@OwnsFiles('slot', { onDelete: 'delete' })
class Slot {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
  @Column('varchar', { default: '' }) title!: string;
  @FileField({ onReplace: 'delete' }) @Column('uuid', { nullable: true }) fileId!: string | null;
}

@Entity()
@OwnsFiles('price')
class Price {
  @PrimaryColumn('decimal', { precision: 8, scale: 2 }) id!: string;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

/** Its owner id is not its key, which the database has in a form of its own. */
@Entity()
@OwnsFiles('offer', { idField: 'code' })
class Offer {
  @PrimaryColumn('decimal', { precision: 8, scale: 2 }) amount!: string;
  @Column('varchar', { length: 20 }) code!: string;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
  @ManyToOne(() => Slot) @JoinColumn() slot!: Relation<Slot>;
}

@Entity()
@OwnsFiles('part', { idField: 'whole' })
class Part {
  @PrimaryColumn('int') whole!: number;
  @PrimaryColumn('int') place!: number;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'kind', length: 20 } })
class Medium {
  @PrimaryGeneratedColumn() id!: number;
}
@ChildEntity()
@OwnsFiles('photo')
class Photo extends Medium {
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}
@ChildEntity()
@OwnsFiles('paper')
class Paper extends Medium {}

/** Its owner id has a default, which a later row gets again. */
@Entity()
@OwnsFiles('stand', { idField: 'place' })
class Stand {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { length: 20, default: 'main', unique: true }) place!: string;
  @FileField() @Column('uuid', { nullable: true }) planId!: string | null;
}

/** Its only relation is its file, which is no parent. */
@Entity()
@OwnsFiles('loose', { onDelete: 'release' })
class Loose {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @ManyToOne(() => ManagedFile) @JoinColumn() file!: Relation<ManagedFile> | null;
}

/** A parent without a declared field, whose children name its files. */
@Entity()
@OwnsFiles('crate', { onDelete: 'delete' })
class Crate {
  @PrimaryGeneratedColumn() id!: number;
}
@Entity()
@OwnsFiles('crate', { idField: 'crateId' })
class Item {
  @PrimaryGeneratedColumn() id!: number;
  @Column('int') crateId!: number;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

class MemoDto {
  @IsOptional() @IsString() fileId?: string;
}

@Controller('memos')
class Memos {
  constructor(private readonly dataSource: DataSource) {}

  @Patch(':id') async update(@Param('id') id: string, @Body() dto: MemoDto) {
    await this.dataSource.getRepository(Memo).update(id, { ...dto });
    return {};
  }
}

const ENTITIES = [Memo, Slot, Price, Offer, Part, Medium, Photo, Paper, Loose, Stand, Crate, Item];

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('Keys of records on $name', (database) => {
  let app: GuardedApp;
  let count = 0;
  beforeAll(async () => {
    app = await guardedApp({ database, entities: ENTITIES, controllers: [Memos] });
  });
  afterAll(() => app.close());

  const slots = () => app.dataSource.getRepository(Slot);
  const newId = () => `slot ${++count}`;
  /** A slot that names a file of its own. */
  async function slotWithFile(): Promise<{ id: string; file: string }> {
    const { id } = await slots().save({ id: newId() });
    const file = await app.fileOf('slot', id);
    await slots().update(id, { fileId: file });
    return { id, file };
  }

  it.each<[string, (id: number) => string]>([
    ['a plus', (id) => `+${id}`],
    ['a blank', (id) => `%20${id}`],
    ['a blank behind', (id) => `${id}%20`],
    ['zeros', (id) => `00${id}`],
    ['decimals', (id) => `${id}.0`],
    ['an exponent', (id) => `${id}e0`],
  ])('leave a foreign file unnamed, written with %s', async (_, written) => {
    const memos = app.dataSource.getRepository(Memo);
    const { id } = await memos.save({});
    const file = await app.upload('bob');
    // Nothing is updated where the database reads it as another number.
    await app.send('PATCH', `/memos/${written(id)}`, { fileId: file });
    expect(await memos.countBy({ fileId: file })).toBe(0);
  });

  it('let a row that replaces another one keep its file, where the database has another form of the number', async () => {
    const offers = app.dataSource.getRepository(Offer);
    const slot = await slots().save({ id: newId() });
    const file = await app.fileOf('offer', 'first');
    await offers.insert({ amount: '1.5', code: 'first', fileId: file, slot });
    await app.queue.run(async () => {
      await offers.delete({ code: 'first' });
      await offers.insert({ amount: '2.5', code: 'second', fileId: file, slot });
    });
    expect(await app.ownerOf(file)).toBe('offer second*');
  });

  it('leave a foreign file unnamed, where the database has another form of the number', async () => {
    const prices = app.dataSource.getRepository(Price);
    const file = await app.upload('bob');
    await expect(prices.insert({ id: '1.5', fileId: file })).rejects.toThrow(FilesNotOwnError);
    await prices.insert({ id: '2.50' });
    await expect(prices.update('2.5', { fileId: file })).rejects.toThrow(FilesNotOwnError);
    expect(await prices.countBy({ fileId: file })).toBe(0);
  });

  it('leave a foreign file unnamed, in another case beside a row that is not there', async () => {
    const file = await app.upload('bob');
    const { id } = await slots().save({ id: newId() });
    await slots()
      .update([id.toUpperCase(), 'none'], { fileId: file })
      .catch((error: unknown) => expect(error).toBeInstanceOf(FilesNotOwnError));
    expect(await slots().countBy({ fileId: file })).toBe(0);
  });

  it('take the files along when they change', async () => {
    const { id, file } = await slotWithFile();
    const to = newId();
    await slots().update({ id }, { id: to });
    expect(await slots().findOneByOrFail({ id: to })).toMatchObject({ fileId: file });
    expect(await app.ownerOf(file)).toBe(`slot ${to}*`);
    await expect(app.files.delete(file, { force: true })).rejects.toThrow(FilesInUseError);
  });

  it('leave the files where they are when their change is undone', async () => {
    const { id, file } = await slotWithFile();
    const to = newId();
    await app.queue.run(async () => {
      const nested = app.queue.run(async () => {
        await slots().update({ id }, { id: to });
        throw new Error('undone');
      });
      await nested.catch(() => undefined);
    });
    expect(await slots().findOneByOrFail({ id })).toMatchObject({ fileId: file });
    expect(await app.ownerOf(file)).toBe(`slot ${id}*`);
  });

  it('refuse the whole unit that has updated more rows than its condition had found, also if the error is swallowed', async () => {
    const file = await app.upload('bob');
    await slots().save({ id: newId(), title: 'crowd' });
    const latecomer: EntitySubscriberInterface<Slot> = {
      listenTo: () => Slot,
      beforeUpdate: ({ manager }) => manager.insert(Slot, { id: newId(), title: 'crowd' }),
    };
    app.dataSource.subscribers.push(latecomer);
    const unit = app.queue.run(async () => {
      await expect(slots().update({ title: 'crowd' }, { fileId: file })).rejects.toThrow(RecordWriteUnseenError);
    });
    await expect(unit).rejects.toThrow(RecordWriteUnseenError);
    app.dataSource.subscribers.pop();
    expect(await slots().countBy({ fileId: file })).toBe(0);
  });

  it('let no row name a foreign file while they change', async () => {
    const { id, file } = await slotWithFile();
    const foreign = await app.upload('bob');
    await expect(slots().update({ id }, { id: newId(), fileId: foreign })).rejects.toThrow(FilesNotOwnError);
    await expect(slots().update({ id }, { id: () => "'by sql'" })).rejects.toThrow(RecordWriteUnseenError);
    expect(await app.ownerOf(file)).toBe(`slot ${id}*`);
    expect(await slots().findOneByOrFail({ id })).toMatchObject({ fileId: file });
  });

  it('take the files along when the part of a key that is the owner changes', async () => {
    const parts = app.dataSource.getRepository(Part);
    const whole = 1000 + ++count;
    await parts.insert({ whole, place: 1 });
    const file = await app.fileOf('part', whole);
    await parts.update({ whole, place: 1 }, { fileId: file });
    await parts.update({ whole, place: 1 }, { whole: whole + 5000 });
    expect(await app.ownerOf(file)).toBe(`part ${whole + 5000}*`);
  });

  it('inherit no file that an earlier row of the key has left, when an update gives them', async () => {
    const id = newId();
    const left = await app.fileOf('slot', id);
    const { id: other } = await slots().save({ id: newId() });
    await expect(slots().update({ id: other }, { id, fileId: left })).rejects.toThrow(FilesNotOwnError);
    await slots().update({ id: other }, { id });
    expect(await app.ownerOf(left)).toBe('-');
  });

  it('inherit no file that an earlier row has left, when they are a default', async () => {
    const stands = app.dataSource.getRepository(Stand);
    const left = await app.fileOf('stand', 'main');
    await stands.insert({});
    expect(await app.ownerOf(left)).toBe('-');
  });

  it('inherit no file though a nested unit was undone, and keep the files they were given', async () => {
    const [id, own] = [newId(), await app.upload()];
    const left = await app.fileOf('slot', id);
    await app.queue.run(async () => {
      await slots().insert({ id });
      await app.files.transferOwnership(own, { ownerType: 'slot', ownerId: id, pin: true });
      await slots().update(id, { fileId: own });
      const nested = app.queue.run(async () => {
        await slots().save({ id: newId() });
        throw new Error('undone');
      });
      await nested.catch(() => undefined);
    });
    expect([await app.ownerOf(left), await app.ownerOf(own)]).toEqual(['-', `slot ${id}*`]);
  });

  it.runIf(database.kind === 'mariadb')('leave the files of rows that a limit spares', async () => {
    const [one, other] = [await slotWithFile(), await slotWithFile()];
    const condition = { ids: [one.id, other.id] };
    await slots()
      .createQueryBuilder()
      .update()
      .set({ fileId: null })
      .where('id IN (:...ids)', condition)
      .limit(1)
      .execute();
    const rows = await slots().findBy([{ id: one.id }, { id: other.id }]);
    const named = rows.flatMap(({ fileId }) => fileId ?? []);
    expect(named).toHaveLength(1);
    expect(await app.ownerOf(named[0]!)).toMatch(/^slot /);
  });

  it('stay with the class of their row', async () => {
    const photos = app.dataSource.getRepository(Photo);
    const { id } = await photos.save({});
    const file = await app.fileOf('photo', id);
    await photos.update(id, { fileId: file });
    const media = app.dataSource.getRepository(Medium).createQueryBuilder();
    await expect(
      media
        .update()
        .set({ kind: 'Paper' } as never)
        .where({ id })
        .execute(),
    ).rejects.toThrow(RecordWriteUnseenError);
    expect(await app.dataSource.getRepository(Paper).existsBy({ id })).toBe(false);
  });

  it('give no file of a removed row to a stranger that has the same file for a relation', async () => {
    const loose = app.dataSource.getRepository(Loose);
    const { id } = await loose.save({});
    const file = await app.fileOf('loose', id);
    await loose.update(id, { file: { id: file } });
    const swap = app.queue.run(async () => {
      await loose.delete(id);
      await loose.save({ file: { id: file } });
    });
    await expect(swap).rejects.toThrow(FilesNotOwnError);
    expect(await app.ownerOf(file)).toBe(`loose ${id}*`);
  });

  it('leave a file that a child still names when the parent is removed', async () => {
    const [crates, items] = [app.dataSource.getRepository(Crate), app.dataSource.getRepository(Item)];
    const crate = await crates.save({});
    const file = await app.fileOf('crate', crate.id);
    const item = await items.save({ crateId: crate.id, fileId: file });
    await items.save({ crateId: crate.id });
    await expect(crates.remove(await crates.findOneByOrFail({ id: crate.id }))).rejects.toThrow(FilesInUseError);
    expect(await app.ownerOf(file)).toBe(`crate ${crate.id}*`);
    await app.queue.run(async () => {
      await items.delete({ crateId: crate.id });
      await crates.remove(await crates.findOneByOrFail({ id: crate.id }));
    });
    expect([await app.ownerOf(file), await items.existsBy({ id: item.id })]).toEqual([undefined, false]);
  });
});
