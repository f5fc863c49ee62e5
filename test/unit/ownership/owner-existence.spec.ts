import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertOwnersExist } from '../../../lib/ownership/owner-existence.js';
import { OwnsFiles } from '../../../lib/ownership/owns-files.decorator.js';
import { reachableDatabases } from '../../support/databases.js';
import type { OpenDatabase } from '../../support/databases.js';

@Entity()
@OwnsFiles('vessel')
class Ship {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
}

@Entity()
@OwnsFiles('vessel')
class Submarine {
  @PrimaryGeneratedColumn() key!: number;
  @Column('varchar', { length: 40 }) id!: string;
}

@Entity()
@OwnsFiles('crate')
class Crate {
  @PrimaryColumn('varchar', {
    transformer: { to: (id: string) => `c${id}`, from: (id: string) => id.slice(1) },
    length: 40,
  })
  id!: string;
}

@Entity()
@OwnsFiles('seat')
class Seat {
  @PrimaryColumn('int') line!: number;
  @PrimaryColumn('int') place!: number;
}

@Entity()
@OwnsFiles('harbour')
class Harbour {
  @PrimaryColumn('varchar', { length: 40 }) code!: string;
  @Column('varchar', { length: 40 }) name!: string;
}

@Entity()
@OwnsFiles('pier', { idField: 'name' })
class Pier extends Harbour {
  @Column('varchar', { length: 40 }) declare id: string;
}

@Entity()
@OwnsFiles('buoy', { idField: 'none' })
class Buoy extends Harbour {}

@Entity()
@OwnsFiles('flag')
class Flag {
  @PrimaryColumn('smallint') id!: number;
}

@Entity()
@OwnsFiles('star')
class Star {
  @PrimaryColumn('bigint') id!: string;
}

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('owners on $name', (database) => {
  let open: OpenDatabase;
  beforeAll(async () => {
    open = await database.open({ entities: [Ship, Submarine, Crate, Seat, Harbour, Pier, Buoy, Flag, Star] });
    await open.dataSource.manager.save([
      Object.assign(new Ship(), { id: 'anna' }),
      Object.assign(new Submarine(), { id: 'nemo' }),
      Object.assign(new Harbour(), { code: 'HH', name: 'Hamburg' }),
      Object.assign(new Pier(), { code: 'P1', name: 'one', id: 'first' }),
      Object.assign(new Flag(), { id: -32768 }),
      Object.assign(new Flag(), { id: 32767 }),
      Object.assign(new Flag(), { id: 0 }),
      Object.assign(new Star(), { id: '1000000000000' }),
    ]);
  });
  afterAll(() => open?.close());

  const check = (...owners: [string, string][]) =>
    open.dataSource.transaction((manager) =>
      assertOwnersExist(
        manager,
        owners.map(([type, id]) => ({ type, id })),
      ),
    );

  it('exist where one of the classes of their type has them', async () => {
    await check(['vessel', 'anna'], ['vessel', 'nemo'], ['vessel', 'anna'], ['somebody', 'else']);
    await expect(check(['vessel', 'anna'], ['vessel', 'gone'], ['vessel', 'nemo'])).rejects.toThrow(
      'There is no vessel "gone", so it can own no files: save it before the transfer.',
    );
    await expect(check(['flag', '0'], ['vessel', '0'])).rejects.toThrow('There is no vessel "0"');
  });

  it('are looked for by `idField`, or their only primary column', async () => {
    await check(['harbour', 'HH'], ['pier', 'one']);
    for (const [type, id] of [
      ['harbour', 'Hamburg'],
      ['pier', 'first'],
      ['pier', 'P1'],
    ] as const) {
      await expect(check([type, id])).rejects.toThrow(`There is no ${type} "${id}"`);
    }
  });

  it('are trusted where their id cannot be looked for, because it is transformed or composite', async () => {
    await check(['crate', '1'], ['seat', '1-2'], ['buoy', 'x']);
    await expect(check(['crate', '1'], ['vessel', 'x'])).rejects.toThrow('There is no vessel "x"');
  });

  it('accept only the numbers that their column can hold, in plain decimal form', async () => {
    await check(['flag', '-32768'], ['flag', '32767'], ['flag', '0'], ['star', '1000000000000']);
    for (const id of ['1', '-0', '00', '0x0', '-32769', '32768', '65536', '0\n', 'a0', '1000000000000', '1e3']) {
      await expect(check(['flag', id])).rejects.toMatchObject({ code: 'FILES_OWNER_NOT_FOUND', ownerId: id });
    }
    for (const id of ['9223372036854775808', '18446744073709551616', '1000000000001']) {
      await expect(check(['star', id])).rejects.toMatchObject({ code: 'FILES_OWNER_NOT_FOUND', ownerId: id });
    }
  });

  it('stay until the transaction that asked for them has ended', async () => {
    if (database.kind === 'memory') return;
    const other = await open.connect();
    const remove = async (ids: string[]) => {
      const list = ids.map((id) => `'${id}'`).join(', ');
      const wait = database.kind === 'postgres' ? `SET LOCAL lock_timeout = 50` : `SET innodb_lock_wait_timeout = 0`;
      return other.transaction(async (manager) => {
        await manager.query(wait);
        await manager.query(`DELETE FROM ship WHERE id IN (${list})`);
      });
    };
    await open.dataSource.manager.insert(Ship, [{ id: 'held' }, { id: 'free' }]);
    await open.dataSource.transaction(async (manager) => {
      await assertOwnersExist(manager, [{ type: 'vessel', id: 'held' }]);
      await expect(remove(['held'])).rejects.toThrow(/lock/i);
      await remove(['free']);
      // Others may ask for them meanwhile.
      await other.transaction((second) => assertOwnersExist(second, [{ type: 'vessel', id: 'held' }]));
    });
    await remove(['held']);
    expect(await open.dataSource.getRepository(Ship).countBy([{ id: 'held' }, { id: 'free' }])).toBe(0);
  });
});
