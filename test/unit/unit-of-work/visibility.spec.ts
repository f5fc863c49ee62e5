import { once } from 'node:events';
import { Readable } from 'node:stream';
import { type QueryRunner, QueryRunnerAlreadyReleasedError } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { detach } from '../../../lib/unit-of-work/scopes/ambient.js';
import { overrideMember } from '../../../lib/unit-of-work/typeorm/override-member.js';
import { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { type OpenDatabase, reachableDatabases } from '../../support/databases.js';
import { ActiveNote, unitEntities } from '../../support/unit-entities.js';
import { inject, type Injected } from '../../support/unit-operations.js';
import { seed } from '../../support/unit-snapshot.js';

const undo = new Error('undo');

const reads: {
  title: string;
  write: (app: Injected) => Promise<unknown>;
  read: (app: Injected) => Promise<unknown>;
}[] = [
  { title: 'find', write: insertNote, read: ({ notes }) => notes.find() },
  { title: 'findBy', write: insertNote, read: ({ notes }) => notes.findBy({ id: 'new' }) },
  { title: 'a query builder', write: insertNote, read: ({ notes }) => notes.createQueryBuilder().getMany() },
  {
    title: 'getRawMany',
    write: insertNote,
    read: ({ notes }) => notes.createQueryBuilder().select('id', 'id').getRawMany(),
  },
  { title: 'a raw query', write: insertNote, read: ({ dataSource }) => dataSource.query('SELECT id FROM note') },
  { title: 'the manager', write: insertNote, read: ({ manager, notes }) => manager.find(notes.target) },
  {
    title: 'a relation',
    write: ({ pets }) => pets.insert({ id: 'new', owner: { id: 'ann' } }),
    read: ({ people }) => people.find({ relations: { pets: true } }),
  },
  {
    title: 'a lazy relation',
    write: ({ dataSource }) => dataSource.query(`INSERT INTO song (id, album_id) VALUES ('new', 'one')`),
    read: async ({ albums }) => (await albums.findOneByOrFail({ id: 'one' })).songs,
  },
  {
    title: 'a tree',
    write: async ({ folders }) => folders.save({ id: 'new', parent: await folders.findOneByOrFail({ id: 'root' }) }),
    read: ({ folders }) => folders.findTrees(),
  },
  { title: 'BaseEntity', write: () => ActiveNote.insert({ id: 'new' }), read: () => ActiveNote.find() },
];

function insertNote({ notes }: Injected): Promise<unknown> {
  return notes.insert({ id: 'new' });
}

const databases = await reachableDatabases();

describe.each(databases)('on $name, inside of a unit', ({ open, kind }) => {
  let database: OpenDatabase;
  let transactor: Transactor;
  let app: Injected;

  beforeAll(async () => {
    database = await open({ entities: unitEntities });
    app = inject(database.dataSource);
    transactor = new Transactor(database.dataSource);
    await seed(database.dataSource);
  });

  afterAll(() => database.close());

  it.each(reads)('shows uncommitted rows to $title', async ({ write, read }) => {
    const unit = transactor.run(async () => {
      await write(app);
      expect(JSON.stringify(await read(app))).toContain('"new"');
      throw undo;
    });
    await expect(unit).rejects.toBe(undo);
    expect(JSON.stringify(await read(app))).not.toContain('"new"');
  });

  it.runIf(kind !== 'memory')('hides uncommitted rows from everybody outside before the commit', async () => {
    const seen = () => database.read(`SELECT id FROM note WHERE id = 'committed'`);
    await transactor.run(async () => {
      await app.notes.insert({ id: 'committed' });
      expect(await seen()).toEqual([]);
    });
    expect(await seen()).toHaveLength(1);
  });

  it('hides uncommitted rows from detached work', async () => {
    let outside: Promise<boolean> | undefined;
    const unit = transactor.run(async () => {
      await app.notes.insert({ id: 'undone' });
      outside = detach(() => app.notes.existsBy({ id: 'undone' }));
      if (kind === 'postgres' || kind === 'mariadb') await outside;
      throw undo;
    });
    await expect(unit).rejects.toBe(undo);
    expect(await outside).toBe(false);
  });
});

/** A stream of rows for the driver of SQLite, which has none. */
async function streamRows(this: QueryRunner, sql: string, parameters: unknown[] = [], onEnd?: () => void) {
  const connection = (await this.connect()) as {
    prepare(text: string): { iterate(...values: unknown[]): Iterable<unknown> };
  };
  const rows = Readable.from(connection.prepare(sql).iterate(...parameters));
  return onEnd ? rows.on('end', onEnd) : rows;
}

describe.each(databases.filter(({ kind }) => kind !== 'file'))(
  'on $name, a stream of a query builder',
  ({ open, kind }) => {
    let database: OpenDatabase;
    let transactor: Transactor;
    let app: Injected;
    let restore = (): void => undefined;

    beforeAll(async () => {
      database = await open({ entities: unitEntities, poolSize: 1 });
      app = inject(database.dataSource);
      transactor = new Transactor(database.dataSource);
      if (kind === 'memory') {
        const runner = database.dataSource.createQueryRunner();
        const { prototype } = runner.constructor as { prototype: object };
        restore = overrideMember(prototype, 'stream' as never, streamRows as never);
        await runner.release();
      }
    });

    afterAll(async () => {
      restore();
      await database.close();
    });

    beforeEach(() => seed(database.dataSource));

    const stream = (): Promise<Readable> => app.notes.createQueryBuilder('note').select('note.id', 'id').stream();

    it('sees uncommitted rows, and holds the connection until it ends', async () => {
      await transactor.run(async () => {
        await app.notes.insert({ id: 'new' });
        const rows = await stream();
        const later = app.notes.insert({ id: 'later' });
        const ids = (await rows.toArray()).map(({ id }: { id: string }) => id);
        expect(ids).toEqual(['kept', 'new']);
        await later;
      });
      expect(await app.notes.existsBy({ id: 'later' })).toBe(true);
    });

    it('fails the unit when it is left open', async () => {
      const unit = transactor.run(async () => {
        await app.notes.insert({ id: 'new' });
        await stream();
      });
      await expect(unit).rejects.toMatchObject({ code: 'FILES_WORK_UNAWAITED' });
      expect(await app.notes.existsBy({ id: 'new' })).toBe(false);
    });

    it.each<{ title: string; leave: (rows: Readable) => unknown }>([
      { title: 'was read to its end', leave: (rows) => once(rows.resume(), 'end') },
      { title: 'was given up by its reader', leave: (rows) => rows.destroy() },
      { title: 'has failed', leave: (rows) => rows.on('error', () => undefined).destroy(new Error('no')) },
    ])('lets the unit succeed when it $title, but may not be closed yet', async ({ leave }) => {
      let isClosed = false;
      await transactor.run(async () => {
        await app.notes.insert({ id: 'own' });
        await transactor.run(async () => {
          await leave(await stream());
        });
        const rows = await stream();
        rows.on('close', () => (isClosed = true));
        await leave(rows);
      });
      expect(isClosed).toBe(true);
      expect(await app.notes.existsBy({ id: 'own' })).toBe(true);
    });

    it('fails the unit while it is being read', async () => {
      const unit = transactor.run(async () => {
        await app.notes.insert({ id: 'new' });
        const rows = (await stream())[Symbol.asyncIterator]();
        await rows.next();
      });
      await expect(unit).rejects.toMatchObject({ code: 'FILES_WORK_UNAWAITED' });
      expect(await app.notes.existsBy({ id: 'new' })).toBe(false);
    });

    it('fails the unit while it is being opened', async () => {
      let opening: Promise<unknown> | undefined;
      const unit = transactor.run(() => {
        opening = stream().catch(() => undefined);
      });
      await expect(unit).rejects.toMatchObject({ code: 'FILES_WORK_UNAWAITED' });
      await opening;
    });

    it('leaves the unit usable when its reader gives it up', async () => {
      await transactor.run(async () => {
        for await (const _row of await stream()) break;
        await app.notes.insert({ id: 'after' });
      });
      expect(await app.notes.existsBy({ id: 'after' })).toBe(true);
    });

    it('waits for the statements before it, and has the parameters that it was given', async () => {
      await transactor.run(async () => {
        const runner = database.dataSource.createQueryRunner();
        const before = runner.query(`INSERT INTO note (id) VALUES ('new')`);
        let ends = 0;
        const parameter = kind === 'postgres' ? '$1' : '?';
        const rows = await runner.stream(`SELECT id FROM note WHERE id = ${parameter}`, ['new'], () => ends++);
        expect(await rows.toArray()).toEqual([{ id: 'new' }]);
        expect(ends).toBe(1);
        await before;
      });
    });

    it('is refused by a query runner that was released, and where the unit has ended', async () => {
      const runner = await transactor.run(async () => {
        const released = database.dataSource.createQueryRunner();
        await released.release();
        await expect(released.stream('SELECT 1')).rejects.toBeInstanceOf(QueryRunnerAlreadyReleasedError);
        return database.dataSource.createQueryRunner();
      });
      await expect(runner.stream('SELECT 1')).rejects.toThrow('A stream was opened after its unit of work had ended.');
    });

    it('fails its caller alone when it cannot be opened', async () => {
      await transactor.run(async () => {
        // Nested, because PostgreSQL goes on only from a savepoint.
        const failed = transactor.run(async () => {
          const rows = await database.dataSource.createQueryRunner().stream('SELECT 1 FROM nowhere');
          await rows.toArray();
        });
        await expect(failed).rejects.toThrow(/nowhere/);
        await app.notes.insert({ id: 'after' });
      });
      expect(await app.notes.existsBy({ id: 'after' })).toBe(true);
    });

    it('is closed by the rollback of its unit', async () => {
      let rows: Readable | undefined;
      const unit = transactor.run(async () => {
        rows = await stream();
        throw undo;
      });
      await expect(unit).rejects.toBe(undo);
      expect(rows?.destroyed).toBe(true);
    });

    it('uses the transaction of the application in a joined unit', async () => {
      const left = 'SELECT id FROM note WHERE deleted_at IS NULL';
      await database.dataSource.transaction(async (manager) => {
        await transactor.run(async () => {
          const rows = await manager.queryRunner!.stream(left);
          let isWritten = false;
          const later = app.notes.insert({ id: 'later' }).then(() => (isWritten = true));
          for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
          expect(isWritten).toBe(false);
          expect(await rows.toArray()).toEqual([{ id: 'kept' }]);
          await later;
        });
        expect(await (await manager.queryRunner!.stream(left)).toArray()).toHaveLength(2);
      });
    });
  },
);
