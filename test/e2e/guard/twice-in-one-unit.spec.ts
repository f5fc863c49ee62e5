import { randomUUID } from 'node:crypto';
import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileField, OwnershipTransferTask, OwnsFiles } from '../../../lib/index.js';
import { FilesNotOwnError, OwnerHasFilesError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Album, Binder, Clause, GUARDED, Room, Ticket, Track } from '../../support/guarded-entities.js';

@Entity()
@OwnsFiles('shelf', { onDelete: 'delete' })
class Shelf {
  @PrimaryColumn('uuid') id!: string;
}

/** Its files belong to the shelf that it is on. */
@Entity()
@OwnsFiles('shelf', { idField: 'shelfId', onDelete: 'delete' })
class Jar {
  @PrimaryGeneratedColumn() id!: number;
  @Column('uuid') shelfId!: string;
  @FileField({ onReplace: 'delete' }) @Column('uuid', { nullable: true }) fileId!: string | null;
}

@Entity()
@OwnsFiles('vault', { onDelete: 'restrict' })
class Vault {
  @PrimaryColumn('uuid') id!: string;
  @FileField({ onReplace: 'delete' }) @Column('uuid', { nullable: true }) fileId!: string | null;
}

/** Its key says nothing of its number. */
@Entity()
@OwnsFiles('place', { idField: 'number', onDelete: 'delete' })
class Place {
  @PrimaryColumn('uuid') key!: string;
  @Column('int', { unique: true }) number!: number;
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) fileId!: string | null;
}

const undo = (): never => {
  throw new Error('undone');
};
const aNumber = () => Math.floor(Math.random() * 1e8);

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('In one unit on $name', (database) => {
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({ database, entities: [...GUARDED, Shelf, Jar, Vault, Place] });
  });
  afterAll(() => app.close());
  const repo = <T extends object>(type: new () => T) => app.dataSource.getRepository<T>(type);
  const give = (file: string, ownerType: string, ownerId: string) =>
    app.files.transferOwnership(file, { ownerType, ownerId, force: true, pin: true });

  /** Has the queue drained in between, by a transfer that has nothing to do with it. */
  async function drain(): Promise<void> {
    const file = await app.upload();
    await app.queue.run(async () => {
      app.queue.add(new OwnershipTransferTask(file, 'track', 'id'));
      return repo(Track).save({ fileId: file });
    });
  }

  it('checks a row whose key change was undone when another row gets that key', async () => {
    const foreign = await app.fileOf('track', 77);
    const [one, two, third] = [randomUUID(), randomUUID(), randomUUID()];
    await repo(Room).save([{ id: one }, { id: two }]);
    const work = app.queue.run(async () => {
      await repo(Room).update(one, { planId: foreign });
      await app.dataSource.transaction((manager) => manager.update(Room, one, { id: third }).then(undo)).catch(() => 0);
      await repo(Room).update(two, { id: third });
    });
    await expect(work).rejects.toThrow();
    expect((await repo(Room).findOneByOrFail({ id: one })).planId).toBeNull();
  });

  it('keeps the files of a row whose key change was undone', async () => {
    const { id } = await repo(Ticket).save({ title: 'before' });
    const extra = await app.fileOf('ticket', id);
    await app.queue.run(async () => {
      const other = randomUUID();
      await app.dataSource
        .transaction((manager) => manager.update(Ticket, id, { id: other }).then(undo))
        .catch(() => 0);
      await repo(Ticket).update(id, { coverId: null, title: 'after' });
    });
    expect((await repo(Ticket).findOneByOrFail({ id })).title).toBe('after');
    expect(await app.ownerOf(extra)).toBe(`ticket ${id}*`);
  });

  it('keeps a file that is moved to another row and then deleted', async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    await repo(Room).save([{ id: one }, { id: two }]);
    const file = await app.fileOf('room', one);
    await repo(Room).update(one, { planId: file });
    const work = app.queue.run(async () => {
      await give(file, 'room', two);
      await repo(Room).update(one, { planId: null });
      await repo(Room).update(two, { planId: file });
      await app.files.delete(file, { force: true });
    });
    await expect(work).rejects.toBeInstanceOf(FilesNotOwnError);
    expect(await app.ownerOf(file)).toBe(`room ${one}*`);
  });

  it('leaves a file that is given away and back with its row', async () => {
    const id = randomUUID();
    await repo(Room).insert({ id });
    const file = await app.fileOf('room', id);
    await repo(Room).update(id, { planId: file });
    await app.queue.run(async () => {
      await give(file, 'user', 'ada');
      await give(file, 'room', id);
    });
    expect(await app.ownerOf(file)).toBe(`room ${id}*`);
  });

  it.each(['attachmentId', 'coverId'])('names no file again that %s let go of', async (field) => {
    const { id } = await repo(Ticket).save({ title: 'before' });
    const [file, other] = [await app.fileOf('ticket', id), await app.fileOf('ticket', id)];
    await repo(Ticket).update(id, { [field]: file });
    const write = (named: string) => async () => {
      await repo(Ticket).update(id, { [field]: named });
      app.queue.add(new OwnershipTransferTask(named, 'ticket', 'id'));
      return { id };
    };
    const work = app.queue.run(async () => {
      await app.queue.run(write(file));
      await app.queue.run(write(other));
      await repo(Ticket).update(id, { [field]: file });
    });
    await expect(work).rejects.toBeInstanceOf(FilesNotOwnError);
    expect(await app.ownerOf(file)).toBe(`ticket ${id}*`);
  });

  it.each([false, true])('lets the first of two files go that a row gets in turn, made there: %s', async (isMade) => {
    const { id } = await (isMade ? { id: randomUUID() } : repo(Ticket).save({ title: 'before' }));
    const [first, second] = [await app.upload(), await app.upload()];
    const attach = (file: string) => async () => {
      await repo(Ticket).save({ id, attachmentId: file });
      app.queue.add(new OwnershipTransferTask(file, 'ticket', 'id'));
      return { id };
    };
    await app.queue.run(async () => {
      await app.queue.run(attach(first));
      await app.queue.run(attach(second));
    });
    expect([await app.ownerOf(first), await app.ownerOf(second)]).toEqual([undefined, `ticket ${id}*`]);
  });

  it('keeps the file that a row named in a part that was undone', async () => {
    const { id } = await repo(Ticket).save({ title: 'before' });
    const extra = await app.fileOf('ticket', id);
    await app.queue.run(async () => {
      await repo(Ticket).update(id, { title: 'between' });
      await app.dataSource
        .transaction((manager) => manager.update(Ticket, id, { attachmentId: extra }).then(undo))
        .catch(() => 0);
      await repo(Ticket).update(id, { attachmentId: null });
    });
    expect(await app.ownerOf(extra)).toBe(`ticket ${id}*`);
  });

  it('leaves the first of two files alone that a row of their user names in turn', async () => {
    const { id } = await repo(Ticket).save({ title: 'before' });
    const [first, second] = [await app.upload(), await app.upload()];
    await app.queue.run(async () => {
      await repo(Ticket).update(id, { attachmentId: first });
      await repo(Ticket).update(id, { attachmentId: second });
      app.queue.add(new OwnershipTransferTask(second, 'ticket', 'id'));
      return { id };
    });
    expect([await app.ownerOf(first), await app.ownerOf(second)]).toEqual(['user ada', `ticket ${id}*`]);
  });

  it.each([false, true])('deletes the file of a row that gets it and is removed, made there: %s', async (isMade) => {
    const { id } = await (isMade ? { id: randomUUID() } : repo(Ticket).save({ title: 'before' }));
    const file = await app.upload();
    await app.queue.run(async () => {
      if (isMade) await repo(Ticket).insert({ id });
      await give(file, 'ticket', id);
      await repo(Ticket).update(id, { attachmentId: file });
      await repo(Ticket).delete(id);
    });
    expect(await repo(Ticket).existsBy({ id })).toBe(false);
    expect(await app.ownerOf(file)).toBeUndefined();
  });

  it('refuses to remove a row that gets a file and restricts', async () => {
    const { id } = await repo(Binder).save({ id: randomUUID() });
    const file = await app.upload();
    const work = app.queue.run(async () => {
      await give(file, 'binder', id);
      await repo(Binder).delete(id);
    });
    await expect(work).rejects.toBeInstanceOf(OwnerHasFilesError);
    expect(await app.ownerOf(file)).toBe('user ada');
  });

  it('deletes the file of a child that gets it in a nested unit and is orphaned', async () => {
    const file = await app.upload();
    const album = await repo(Album).save({ tracks: [] });
    await app.queue.run(async () => {
      await app.queue.run(async () => {
        app.queue.add(new OwnershipTransferTask(file, 'track', 'id'));
        return repo(Track).save({ name: 'a', fileId: file, album });
      });
      const loaded = await repo(Album).findOneOrFail({ where: { id: album.id }, relations: { tracks: true } });
      loaded.tracks = [];
      await repo(Album).save(loaded);
    });
    expect(await repo(Track).countBy({ fileId: file })).toBe(0);
    expect(await app.ownerOf(file)).toBeUndefined();
  });

  it.each(['made there', 'there before'])(
    'deletes the file that a row, %s, replaces after another part was undone',
    async (which) => {
      const id = which === 'made there' ? randomUUID() : (await repo(Ticket).save({ title: 'before' })).id;
      const attach = (file: string) =>
        app.queue.run(async () => {
          await repo(Ticket).save({ id, attachmentId: file });
          app.queue.add(new OwnershipTransferTask(file, 'ticket', 'id'));
          return { id };
        });
      const [one, two] = [await app.upload(), await app.upload()];
      await app.queue.run(async () => {
        await attach(one);
        await app.dataSource
          .transaction((manager) => manager.insert(Ticket, { title: 'other' }).then(undo))
          .catch(() => 0);
        await attach(two);
      });
      expect([await app.ownerOf(one), await app.ownerOf(two)]).toEqual([undefined, `ticket ${id}*`]);
    },
  );

  it('deletes a file that is passed to another row, which lets it go', async () => {
    const [from, to] = [randomUUID(), randomUUID()];
    await repo(Ticket).save([{ id: from }, { id: to }]);
    const file = await app.fileOf('ticket', from);
    await repo(Ticket).update(from, { attachmentId: file });
    await app.queue.run(async () => {
      await repo(Ticket).update(to, { coverId: null });
      await give(file, 'ticket', to);
      await repo(Ticket).update(from, { attachmentId: null });
      await repo(Ticket).update(to, { attachmentId: file });
      await repo(Ticket).update(to, { attachmentId: null });
    });
    expect(await app.ownerOf(file)).toBeUndefined();
  });

  it.each(['another id', 'the same id', 'a value by SQL'])(
    'deletes the file of a row that gets it, then %s, and then no file',
    async (what) => {
      const { id } = await repo(Ticket).save({ title: 'before' });
      const to = what === 'another id' ? randomUUID() : id;
      const file = await app.fileOf('ticket', id);
      await app.queue.run(async () => {
        await repo(Ticket).update(id, { attachmentId: file });
        await repo(Ticket).update(id, what === 'a value by SQL' ? { coverId: () => 'NULL' } : { id: to });
        await repo(Ticket).update(to, { attachmentId: null });
      });
      expect(await app.ownerOf(file)).toBeUndefined();
    },
  );

  it('lets files go, as the fields say, when their row is removed and made again without them', async () => {
    const { id } = await repo(Ticket).save({ title: 'before' });
    const [cover, attachment] = [await app.fileOf('ticket', id), await app.fileOf('ticket', id)];
    await repo(Ticket).update(id, { coverId: cover, attachmentId: attachment });
    await app.queue.run(async () => {
      await repo(Ticket).delete(id);
      await repo(Ticket).insert({ id, title: 'after' });
    });
    expect([await app.ownerOf(cover), await app.ownerOf(attachment)]).toEqual(['-', undefined]);
  });

  it.each(['the same', 'another'])(
    'takes the file from a row that is made, gets it and is made again as %s owner',
    async (which) => {
      const [key, file, number] = [randomUUID(), await app.upload(), aNumber()];
      await app.queue.run(async () => {
        await repo(Place).insert({ key, number });
        await give(file, 'place', String(number));
        await repo(Place).update(key, { fileId: file });
        await repo(Place).delete(key);
        await repo(Place).insert({ key, number: which === 'another' ? number + 1 : number });
      });
      expect(await app.ownerOf(file)).toBe(which === 'another' ? undefined : '-');
    },
  );

  it('releases, as the field says, a file that its row lets go before it is removed', async () => {
    const { id } = await repo(Ticket).save({ title: 'before' });
    const [cover, attachment] = [await app.fileOf('ticket', id), await app.fileOf('ticket', id)];
    await repo(Ticket).update(id, { coverId: cover, attachmentId: attachment });
    await app.queue.run(async () => {
      await repo(Ticket).update(id, { coverId: null });
      await repo(Ticket).delete(id);
    });
    expect([await app.ownerOf(cover), await app.ownerOf(attachment)]).toEqual(['-', undefined]);
  });

  it('removes a row that restricts once it has let its only file go', async () => {
    const { id } = await repo(Vault).save({ id: randomUUID() });
    const file = await app.fileOf('vault', id);
    await repo(Vault).update(id, { fileId: file });
    await app.queue.run(async () => {
      await repo(Vault).update(id, { fileId: null });
      await repo(Vault).delete(id);
    });
    expect([await repo(Vault).existsBy({ id }), await app.ownerOf(file)]).toEqual([false, undefined]);
  });

  describe('a child of an owner of several rows', () => {
    async function newShelf() {
      const shelf = randomUUID();
      await repo(Shelf).insert({ id: shelf });
      const attach = (id: number, file: string) =>
        app.queue.run(async () => {
          await repo(Jar).update(id, { fileId: file });
          app.queue.add(new OwnershipTransferTask(file, 'shelf', 'id'));
          return { id: shelf };
        });
      return { shelf, attach };
    }

    it.each(['named another', 'named none'])(
      'deletes the file that it got before it is removed: it %s',
      async (which) => {
        const { shelf, attach } = await newShelf();
        const old = which === 'named another' ? await app.fileOf('shelf', shelf) : null;
        const { id } = await repo(Jar).save({ shelfId: shelf, fileId: old });
        const next = await app.upload();
        await app.queue.run(async () => {
          await attach(id, next);
          await repo(Jar).delete(id);
        });
        expect([old && (await app.ownerOf(old)), await app.ownerOf(next)]).toEqual([old && undefined, undefined]);
      },
    );

    it('deletes all files that it got, when it is made and removed', async () => {
      const { shelf, attach } = await newShelf();
      const [one, two] = [await app.upload(), await app.upload()];
      await app.queue.run(async () => {
        const { id } = await repo(Jar).save({ shelfId: shelf });
        await attach(id, one);
        await attach(id, two);
        await repo(Jar).delete(id);
      });
      expect([await app.ownerOf(one), await app.ownerOf(two)]).toEqual([undefined, undefined]);
    });

    it('deletes the file that it got and let go of, when it is made and removed', async () => {
      const { shelf, attach } = await newShelf();
      const one = await app.upload();
      await app.queue.run(async () => {
        const { id } = await repo(Jar).save({ shelfId: shelf });
        await attach(id, one);
        await repo(Jar).update(id, { fileId: null });
        await repo(Jar).delete(id);
      });
      expect(await app.ownerOf(one)).toBeUndefined();
    });

    it('deletes a file of its owner that it came to name, when it is removed', async () => {
      const { shelf } = await newShelf();
      const { id } = await repo(Jar).save({ shelfId: shelf });
      const file = await app.fileOf('shelf', shelf);
      await app.queue.run(async () => {
        await repo(Jar).update(id, { fileId: file });
        await repo(Jar).delete(id);
      });
      expect(await app.ownerOf(file)).toBeUndefined();
    });

    it.each([
      ['moves to another owner', false],
      ['moves to another owner and is removed', true],
    ])('deletes the file that it lets go of when it %s', async (_, isRemoved) => {
      const [{ shelf }, { shelf: other }] = [await newShelf(), await newShelf()];
      const file = await app.fileOf('shelf', shelf);
      const { id } = await repo(Jar).save({ shelfId: shelf, fileId: file });
      await app.queue.run(async () => {
        await repo(Jar).update(id, { shelfId: other, fileId: null });
        if (isRemoved) await repo(Jar).delete(id);
      });
      expect(await app.ownerOf(file)).toBeUndefined();
    });

    it('leaves the file that it lets go of when it moves, where another one names it', async () => {
      const [{ shelf }, { shelf: other }] = [await newShelf(), await newShelf()];
      const file = await app.fileOf('shelf', shelf);
      const { id } = await repo(Jar).save({ shelfId: shelf, fileId: file });
      await repo(Jar).save({ shelfId: shelf, fileId: file });
      await repo(Jar).update(id, { shelfId: other, fileId: null });
      expect(await app.ownerOf(file)).toBe(`shelf ${shelf}*`);
    });
  });

  it('gives no file to a row that is made, removed and made again', async () => {
    const id = randomUUID();
    const left = await app.fileOf('room', id);
    const work = app.queue.run(async () => {
      await repo(Room).insert({ id });
      await repo(Room).delete(id);
      await repo(Room).insert({ id, planId: left });
    });
    await expect(work).rejects.toBeInstanceOf(FilesNotOwnError);
    expect(await app.ownerOf(left)).toBe(`room ${id}*`);
  });

  it('gives no file to a row that is made in place of another that was made there', async () => {
    const number = aNumber();
    const left = await app.fileOf('clause', number);
    const work = app.queue.run(async () => {
      const { key } = await repo(Clause).save({ number });
      await repo(Clause).delete(key);
      await repo(Clause).save({ number, fileId: left });
    });
    await expect(work).rejects.toBeInstanceOf(FilesNotOwnError);
    expect(await app.ownerOf(left)).toBe(`clause ${number}*`);
  });

  it('leaves the files of an earlier owner of the id when a row is made and removed', async () => {
    const id = randomUUID();
    const left = await app.fileOf('ticket', id);
    await app.queue.run(async () => {
      await repo(Ticket).insert({ id });
      await repo(Ticket).delete(id);
    });
    expect(await app.ownerOf(left)).toBe(`ticket ${id}*`);
  });

  it('gives no file to a row whose new owner id is undone', async () => {
    const number = aNumber();
    const left = await app.fileOf('clause', number + 1);
    await app.queue.run(async () => {
      const { key } = await repo(Clause).save({ number });
      const change = app.queue.run(async () => {
        await repo(Clause).update(key, { number: number + 1 });
        await drain();
        undo();
      });
      await change.catch(() => 0);
    });
    expect(await app.ownerOf(left)).toBe(`clause ${number + 1}*`);
  });

  it('moves files with a row that is made and gets another owner id', async () => {
    const [file, number] = [await app.upload(), aNumber()];
    await app.queue.run(async () => {
      const { key } = await repo(Clause).save({ number });
      await give(file, 'clause', String(number));
      await repo(Clause).update(key, { fileId: file });
      await repo(Clause).update(key, { number: number + 1 });
    });
    expect(await app.ownerOf(file)).toBe(`clause ${number + 1}*`);
  });

  it.each([false, true])(
    'gives no file to a row that gets two new owner ids, drained in between: %s',
    async (isDrained) => {
      const number = aNumber();
      const left = await app.fileOf('clause', number + 2);
      const { key } = await repo(Clause).save({ number });
      const work = app.queue.run(async () => {
        await repo(Clause).update(key, { number: number + 1 });
        if (isDrained) await drain();
        await repo(Clause).update(key, { number: number + 2, fileId: left });
      });
      await expect(work).rejects.toBeInstanceOf(FilesNotOwnError);
      expect(await app.ownerOf(left)).toBe(`clause ${number + 2}*`);
    },
  );

  it.each([false, true])(
    'gives no file to a row that is made and gets another id, drained in between: %s',
    async (isDrained) => {
      const [id, to] = [randomUUID(), randomUUID()];
      const left = await app.fileOf('room', to);
      const work = app.queue.run(async () => {
        await repo(Room).insert({ id });
        if (isDrained) await drain();
        await repo(Room).update(id, { id: to });
        await repo(Room).update(to, { planId: left });
      });
      await expect(work).rejects.toBeInstanceOf(FilesNotOwnError);
      expect(await app.ownerOf(left)).toBe(`room ${to}*`);
    },
  );
});
