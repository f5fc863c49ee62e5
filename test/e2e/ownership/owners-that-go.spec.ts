import { Readable } from 'node:stream';
import { Controller, Inject, Param, Post } from '@nestjs/common';
import {
  ChildEntity,
  Column,
  DataSource,
  Entity,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
} from 'typeorm';
import type { Relation } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OwnerHasFilesError } from '../../../lib/errors/ownership.errors.js';
import { FileIntent } from '../../../lib/files/intents/file-intent.entity.js';
import { OwnsFiles } from '../../../lib/ownership/owns-files.decorator.js';
import { OwnerRemovals } from '../../../lib/ownership/removal/owner-removals.js';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { reachableDatabases } from '../../support/databases.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { Clause, Contract, Loan, OWNERS, Reading, Room, Seat, Shelf } from '../../support/owner-entities.js';
import { ownershipApp } from '../../support/ownership-app.js';
import type { OwnershipApp } from '../../support/ownership-app.js';
import { fileById, historyOf, insertFile } from '../../support/ownership-databases.js';
import { isTypeorm03 } from '../../support/versions.js';

@Controller('loans')
class LoansController {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  @Post(':id/end') @WithTaskQueue() async end(@Param('id') id: string) {
    const loans = this.dataSource.getRepository(Loan);
    await loans.remove(await loans.findOneByOrFail({ id }));
    return {};
  }
}

@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'kind' } })
class Vehicle {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Garage, (garage) => garage.vehicles, { orphanedRowAction: 'delete' })
  garage!: Relation<Garage> | null;
}
@Entity()
class Garage {
  @PrimaryGeneratedColumn() id!: number;
  @OneToMany(() => Vehicle, (vehicle) => vehicle.garage, { cascade: true }) vehicles!: Relation<Vehicle>[];
}
@ChildEntity()
@OwnsFiles('truck', { onDelete: 'delete' })
class Truck extends Vehicle {}
@ChildEntity()
@OwnsFiles('bicycle')
class Bicycle extends Vehicle {}

@Entity()
@OwnsFiles('bench', { onDelete: 'delete' })
class Bench {
  @PrimaryColumn('int') line!: number;
  @PrimaryColumn('int') place!: number;
}
@Entity()
@OwnsFiles('ticket', { onDelete: 'delete', idField: 'price' })
class Ticket {
  @PrimaryGeneratedColumn() id!: number;
  @Column('simple-json') price!: object;
}

const NO_ID = (name: string) =>
  `@OwnsFiles() on class ${name}: with \`onDelete\` it needs an id that is a text or a number: a column \`id\`, one primary column, or what \`idField\` names. With a composite key, add a separate column: \`@Column('uuid') @Generated('uuid') id\`.`;
const nobodys = { ownerType: null, ownerId: null, ownerField: null, pinned: false };

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('owners that go on $name', (database) => {
  let app: OwnershipApp;
  let number = 0;
  beforeAll(async () => {
    const providers = [OwnerRemovals];
    const entities = [...OWNERS, Garage, Vehicle, Truck, Bicycle, Ticket];
    app = await ownershipApp({ controllers: [LoansController], providers, entities, database });
  });
  afterAll(() => app?.close());

  const repository = <T extends object>(entity: new () => T) => app.dataSource.getRepository<T>(entity);
  const save = <T extends object>(entity: new () => T, values: object = {}): Promise<T> =>
    app.dataSource.manager.save(Object.assign(new entity(), values));
  const read = (id: string) => fileById(app.dataSource, id);
  const history = (id: string) => historyOf(app.dataSource, id);

  /** A pinned file of the owner's with bytes at its location, which is its id. */
  async function fileOf(ownerType: string, id: string | number): Promise<string> {
    const file = await insertFile(app.dataSource, { ownerType, ownerId: String(id), ownerField: 'a', pinned: true });
    await app.storage.write(file, Readable.from([Buffer.from('x')]));
    return file;
  }
  const isStored = async (id: string) => {
    await app.settled();
    return app.storage.exists(id);
  };

  it('keeps the files of a removed owner unless told otherwise', async () => {
    const room = await save(Room);
    const file = await fileOf('room', room.id);
    app.statements.length = 0;
    await repository(Room).remove(room);
    expect(app.statements.filter((sql) => /files_/.test(sql))).toEqual([]);
    expect([await read(file), await isStored(file)]).toMatchObject([{ ownerType: 'room', pinned: true }, true]);
  });

  it('deletes the files with their owner, outside of a unit of work, and the bytes after the commit', async () => {
    const [shelf, other] = [await save(Shelf), await save(Shelf)];
    const [file, stays] = [await fileOf('shelf', shelf.id), await fileOf('shelf', other.id)];
    const same = await fileOf('loan', shelf.id);
    const from = { type: 'shelf', id: String(shelf.id) };
    await repository(Shelf).remove(shelf);
    expect([await read(file), await isStored(file)]).toEqual([null, false]);
    expect(await history(file)).toMatchObject([
      { action: 'delete', fromType: from.type, fromId: from.id, toId: null, actorId: null },
    ]);
    expect([await read(stays), await read(same)]).toMatchObject([{ ownerType: 'shelf' }, { ownerType: 'loan' }]);
    expect([await isStored(stays), await isStored(same)]).toEqual([true, true]);
    expect(await repository(FileIntent).count()).toBe(0);
  });

  it('deletes a file that the row of its owner refers to', async () => {
    const shelf = await save(Shelf);
    const file = await fileOf('shelf', shelf.id);
    await save(Shelf, { id: shelf.id, picture: { id: file } });
    await repository(Shelf).remove(shelf);
    expect(await read(file)).toBeNull();
  });

  it('deletes bytes after the commit of a unit of work, and not before', async () => {
    const shelf = await save(Shelf);
    const file = await fileOf('shelf', shelf.id);
    await app.queue.run(async () => {
      await repository(Shelf).remove(shelf);
      expect([await read(file), await isStored(file)]).toEqual([null, true]);
    });
    expect(await isStored(file)).toBe(false);
  });

  it.each(['a unit of work', 'a transaction of the application'])('undoes all of it with %s', async (kind) => {
    const [shelf, loan] = [await save(Shelf), await save(Loan)];
    const [deleted, released] = [await fileOf('shelf', shelf.id), await fileOf('loan', loan.id)];
    const work = async () => {
      await app.dataSource.manager.remove([shelf, loan]);
      throw new Error('later');
    };
    const inTransaction = app.dataSource.transaction.bind(app.dataSource);
    const run =
      kind === 'a unit of work'
        ? app.queue.run(work)
        : inTransaction(async (manager) => {
            await manager.remove([shelf, loan]);
            throw new Error('later');
          });
    await expect(run).rejects.toThrow('later');
    expect(await isStored(deleted)).toBe(true);
    expect([await read(deleted), await read(released)]).toMatchObject([{ pinned: true }, { ownerType: 'loan' }]);
    expect([...(await history(deleted)), ...(await history(released))]).toEqual([]);
    expect(await repository(FileIntent).count()).toBe(0);
  });

  it('releases the files, unpinned, in the name of the actor', async () => {
    const loan = await save(Loan);
    const files = [await fileOf('loan', loan.id), await fileOf('loan', loan.id)];
    expect((await app.send(`/loans/${loan.id}/end`, {})).status).toBe(201);
    for (const file of files) {
      expect([await read(file), await isStored(file)]).toMatchObject([nobodys, true]);
      expect(await history(file)).toMatchObject([{ action: 'release', fromId: loan.id, actorId: 'ada' }]);
    }
  });

  it.each([true, false])('removes no owner that has files where these restrict it (in a unit: %s)', async (isUnit) => {
    const contracts = [await save(Contract, { id: `c${++number}` }), await save(Contract, { id: `c${++number}` })];
    const [free, bound] = contracts as [Contract, Contract];
    const { id } = free;
    const file = await fileOf('contract', bound.id);
    await fileOf('contract', bound.id);
    const run = () => repository(Contract).remove([free, bound]);
    await expect(isUnit ? app.queue.run(run) : run()).rejects.toMatchObject({
      code: 'FILES_OWNER_HAS_FILES',
      ownerType: 'contract',
      ownerId: bound.id,
      count: 2,
      message: `contract ${bound.id} owns 2 files, so it is not removed: transfer or delete its files first.`,
    });
    expect(await repository(Contract).countBy([{ id: free.id }, { id: bound.id }])).toBe(2);
    expect(await read(file)).toMatchObject({ ownerId: bound.id });
    await repository(Contract).remove(free);
    expect(await repository(Contract).existsBy({ id })).toBe(false);
  });

  it('counts the files of the owner that it refuses to remove, and none of others that go with it', async () => {
    const id = String(9_100_000_000 + ++number);
    const [one, other] = [await save(Contract, { id }), await save(Contract, { id: `c${++number}` })];
    const clause = await save(Clause, { number: id, contract: null });
    const owners: [string, string, number][] = [
      ['contract', one.id, 2],
      ['contract', other.id, 3],
      ['clause', clause.number, 1],
    ];
    for (const [type, owner, count] of owners) for (let at = 0; at < count; at++) await fileOf(type, owner);
    const refused: unknown = await app.dataSource.manager.remove([one, other, clause]).catch((error: unknown) => error);
    const { ownerType, ownerId, count } = refused as OwnerHasFilesError;
    expect(owners).toContainEqual([ownerType, ownerId, count]);
    const shelf = await save(Shelf, { id: Number(id) - 9_000_000_000 });
    const restricted = await save(Contract, { id: String(shelf.id) });
    const file = await fileOf('shelf', shelf.id);
    await app.dataSource.manager.remove([shelf, restricted]);
    expect(await read(file)).toBeNull();
  });

  it('reads no row for an owner, or a key, that it already has', async () => {
    const shelf = await save(Shelf);
    const room = await save(Room, { shelves: [new Shelf()] });
    const clause = await save(Clause, { number: String(9_000_000_000 + ++number), contract: null });
    const asked = async (work: () => Promise<unknown>) => {
      app.statements.length = 0;
      await work();
      return app.statements.filter((sql) => /^SELECT .*\bowner\b/.test(sql)).length;
    };
    expect(await asked(() => repository(Shelf).remove(shelf))).toBe(0);
    expect(await asked(() => repository(Clause).remove(clause))).toBe(0);
    expect(await asked(() => save(Room, { id: room.id, shelves: [] }))).toBe(0);
    const contract = await save(Contract, { id: `c${++number}` });
    for (let at = 0; at < 2; at++) await save(Clause, { number: String(9_000_000_000 + ++number), contract });
    // The key is not the id: each row once, for the time before its removal and for that after it.
    expect(await asked(() => save(Contract, { id: contract.id, clauses: [] }))).toBe(2);
  });

  it('takes the word of the class that an entity is of, whichever repository removes it', async () => {
    const vehicles = [await save(Truck), await save(Bicycle)];
    const [truck, bicycle] = vehicles as [Truck, Bicycle];
    const [goes, stays] = [await fileOf('truck', truck.id), await fileOf('bicycle', bicycle.id)];
    await repository(Vehicle).remove(await repository(Vehicle).find());
    expect([await read(goes), (await read(stays))?.ownerType]).toEqual([null, 'bicycle']);
  });

  it('takes the word of the class that an orphan is of, though the relation names another', async () => {
    const [truck, bicycle] = [new Truck(), new Bicycle()];
    const { id } = await save(Garage, { vehicles: [truck, bicycle, new Vehicle()] });
    const [goes, stays] = [await fileOf('truck', truck.id), await fileOf('bicycle', bicycle.id)];
    await save(Garage, { id, vehicles: [] });
    expect(await repository(Vehicle).count()).toBe(0);
    expect([await read(goes), (await read(stays))?.ownerType]).toEqual([null, 'bicycle']);
  });

  it('leaves a unit of work as it was that catches the refusal', async () => {
    const contract = await save(Contract, { id: `c${++number}` });
    await fileOf('contract', contract.id);
    await app.queue.run(async () => {
      await expect(repository(Contract).remove(contract)).rejects.toThrow(`contract ${contract.id} owns a file`);
    });
    expect(await repository(Contract).existsBy({ id: contract.id })).toBe(true);
  });

  it('leaves the files of softly removed owners alone', async () => {
    const [contract, shelf] = [await save(Contract, { id: `c${++number}` }), await save(Shelf)];
    const files = [await fileOf('contract', contract.id), await fileOf('shelf', shelf.id)];
    await app.dataSource.manager.softRemove([contract, shelf]);
    expect(await Promise.all(files.map(read))).toMatchObject([{ pinned: true }, { pinned: true }]);
    await app.dataSource.manager.recover([contract, shelf]);
    expect(await repository(Shelf).existsBy({ id: shelf.id })).toBe(true);
  });

  it('sees orphans', async () => {
    const room = await save(Room, { shelves: [new Shelf(), new Shelf()] });
    const [kept, orphan] = room.shelves as [Shelf, Shelf];
    const [stays, goes] = [await fileOf('shelf', kept.id), await fileOf('shelf', orphan.id)];
    await save(Room, { id: room.id, shelves: [kept] });
    expect([(await read(stays))?.ownerType, await read(goes), await isStored(goes)]).toEqual(['shelf', null, false]);
  });

  // TypeORM 0.3 removes nothing by a cascade from the side of many.
  it.skipIf(isTypeorm03)('sees cascades, and reads the id from the field that it is in', async () => {
    const contract = await save(Contract, { id: `c${++number}` });
    const clause = await save(Clause, { number: String(9_000_000_000 + number), contract });
    const file = await fileOf('contract', contract.id);
    const remove = async () => {
      const found = await repository(Clause).findOneOrFail({
        where: { key: clause.key },
        relations: { contract: true },
      });
      await repository(Clause).remove(found);
    };
    await expect(remove()).rejects.toMatchObject({ code: 'FILES_OWNER_HAS_FILES', ownerType: 'contract' });
    await app.ownership.transfer([file], { ownerType: 'clause', ownerId: clause.number, force: true });
    await expect(remove()).rejects.toMatchObject({ code: 'FILES_OWNER_HAS_FILES', ownerId: clause.number });
    await app.ownership.transfer([file], { ownerType: 'somebody', ownerId: 'else', force: true });
    await remove();
    expect(await repository(Contract).existsBy({ id: contract.id })).toBe(false);
  });

  it('sees orphans whose id is not their key', async () => {
    const contract = await save(Contract, { id: `c${++number}` });
    const clause = await save(Clause, { number: String(9_000_000_000 + number), contract });
    const file = await fileOf('clause', clause.number);
    const empty = () => save(Contract, { id: contract.id, clauses: [] });
    await expect(empty()).rejects.toMatchObject({ code: 'FILES_OWNER_HAS_FILES', ownerId: clause.number });
    await app.ownership.transfer([file], { ownerType: 'contract', ownerId: contract.id, force: true });
    await empty();
    expect(await repository(Clause).existsBy({ key: clause.key })).toBe(false);
  });

  it('takes one statement where the owners have no files, and the same number however many files there are', async () => {
    const counts: number[] = [];
    for (const files of [0, 1, 5]) {
      const shelves = await Promise.all([1, 2, 3].map(() => save(Shelf)));
      for (const { id } of shelves) for (let at = 0; at < files; at++) await fileOf('shelf', id);
      app.statements.length = 0;
      await app.queue.run(() => repository(Shelf).remove(shelves));
      counts.push(app.statements.filter((sql) => /files_(file|transfer)\b/.test(sql)).length);
    }
    const [none, one] = counts;
    expect(counts).toEqual([1, one, one]);
    expect(none).toBe(1);
  });

  it('refuses a removal without a transaction', async () => {
    const shelf = await save(Shelf);
    await expect(repository(Shelf).remove(shelf, { transaction: false })).rejects.toMatchObject({
      code: 'FILES_UNIT_ABORTED',
      message: expect.stringContaining(
        'an owner of files was removed with `transaction: false`, so its files could not be removed in the same commit',
      ) as string,
    });
    expect(await repository(Shelf).existsBy({ id: shelf.id })).toBe(true);
    const contract = await save(Contract, { id: `c${++number}` });
    await expect(app.dataSource.manager.remove([contract, shelf], { transaction: false })).rejects.toMatchObject({
      code: 'FILES_UNIT_ABORTED',
    });
    await repository(Contract).remove(contract, { transaction: false });
    expect(await repository(Contract).existsBy({ id: `c${number}` })).toBe(false);
  });

  it('refuses to remove an owner whose id is neither a text nor a number', async () => {
    const ticket = await save(Ticket, { price: { euro: 5 } });
    await expect(repository(Ticket).remove(ticket)).rejects.toMatchObject({ message: NO_ID('Ticket') });
    expect(await repository(Ticket).existsBy({ id: ticket.id })).toBe(true);
  });

  it('deletes the files of an owner with a composite key by its column `id`', async () => {
    const [seat, other] = [await save(Seat, { line: 1, place: 2 }), await save(Seat, { line: 2, place: 1 })];
    const { ownership } = app;
    const file = await insertFile(app.dataSource, { ownerType: 'user', ownerId: 'ada' });
    await app.storage.write(file, Readable.from([Buffer.from('x')]));
    await ownership.transfer([file], { ownerType: 'seat', ownerId: seat.id });
    const missing = ownership.transfer([file], { ownerType: 'seat', ownerId: '1' });
    await expect(missing).rejects.toMatchObject({ code: 'FILES_OWNER_NOT_FOUND' });
    await repository(Seat).remove(other);
    expect(await read(file)).toMatchObject({ ownerId: seat.id });
    await repository(Seat).remove(Object.assign(new Seat(), { line: 1, place: 2 }));
    expect(await read(file)).toBeNull();
  });

  it('removes an owner whose row is gone already, without an error', async () => {
    const clause = await save(Clause, { number: String(9_000_000_000 + ++number), contract: null });
    const ghost = Object.assign(new Clause(), { key: clause.key + 1000 });
    await repository(Clause).remove(ghost);
    expect(await repository(Clause).existsBy({ key: clause.key })).toBe(true);
  });
});

describe('the subscriber', () => {
  it('stays on the data source as long as the application runs, and only where a class needs it', async () => {
    const plain = await ownershipApp({ providers: [OwnerRemovals], entities: [Reading] });
    expect(plain.dataSource.subscribers).toHaveLength(0);
    await plain.close();
    const app = await ownershipApp({ providers: [OwnerRemovals], entities: [Loan] });
    const { subscribers } = app.dataSource;
    expect(subscribers).toHaveLength(1);
    await app.close();
    expect(subscribers).toHaveLength(0);
  });

  it('leaves the other subscribers where they are', async () => {
    const app = await ownershipApp({ providers: [OwnerRemovals], entities: [Loan] });
    const removals = app.app.get(OwnerRemovals);
    const { subscribers } = app.dataSource;
    const other = {};
    subscribers.push(other);
    removals.end();
    expect(subscribers).toEqual([other]);
    removals.end();
    expect(subscribers).toEqual([other]);
    removals.onApplicationBootstrap();
    removals.onApplicationBootstrap();
    expect(subscribers).toEqual([other, removals]);
    removals.end();
    removals.onModuleInit();
    expect(subscribers).toEqual([other, removals]);
    await app.close();
  });

  it('refuses a class whose owners have no single id', async () => {
    const [database] = await reachableDatabases('memory');
    const starting = ownershipApp({ providers: [OwnerRemovals], entities: [Bench], database: database! });
    await expect(starting).rejects.toMatchObject({ message: NO_ID('Bench') });
  });
});

it('declares the owners of docs/ownership.md, whose quotas and types have specs of their own', async () => {
  const types = '../../package/consumer/typed-owners/owners.mts';
  const specs = ['../../support/owner-entities.ts', './quotas.spec.ts', types].map(
    (path) => new URL(path, import.meta.url).href,
  );
  expect(await examplesNotRun('ownership.md', ...specs)).toEqual([]);
});
