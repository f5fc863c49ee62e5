import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FILES_ENTITIES } from '../../../lib/entry/entities.js';
import { createGuards, dropGuards } from '../../../lib/entry/migrations.js';
import { reachableDatabases } from '../../support/databases.js';
import type { OpenDatabase } from '../../support/databases.js';
import { Clause, GUARDED, Page, Ticket } from '../../support/guarded-entities.js';
import { RawSession } from '../../support/raw-session.js';
import { randomUUID } from 'node:crypto';

const [postgres] = await reachableDatabases('postgres');

describe.skipIf(!postgres)('guards in the database', () => {
  let database: OpenDatabase;
  let session: RawSession;

  beforeAll(async () => {
    database = await postgres!.open({ entities: [...FILES_ENTITIES, ...GUARDED] });
    session = await RawSession.open(database.dataSource.options);
    await guard();
  });
  afterAll(async () => {
    await session.close();
    await database.close();
  });

  async function guard(entities = [Ticket, Page, Clause]): Promise<void> {
    const runner = database.dataSource.createQueryRunner();
    await createGuards(runner, entities);
    await runner.release();
  }

  const insertTicket = (id: string, fileId: string): [string, unknown[]] => [
    'INSERT INTO ticket (id, "attachmentId", version) VALUES ($1, $2, 1)',
    [id, fileId],
  ];
  const give = (fileId: string, type: string, id: string | number): [string, unknown[]] => [
    'UPDATE files_file SET owner_type = $2, owner_id = $3 WHERE id = $1',
    [fileId, type, String(id)],
  ];
  async function ticket(): Promise<{ id: string; fileId: string }> {
    const id = randomUUID();
    const fileId = await session.file('ticket', id);
    await session.query(...insertTicket(id, fileId));
    return { id, fileId };
  }

  describe('a row that was written', () => {
    it('is refused where it names a foreign file', async () => {
      const fileId = await session.file('user', 'bob');
      const id = randomUUID();
      await expect(session.query(...insertTicket(id, fileId))).rejects.toMatchObject({
        code: '23514',
        constraint: 'files_not_own',
        schema: 'public',
        table: 'ticket',
        message: `ticket ${id} names file ${fileId} in attachmentId (table "public"."ticket"), which is not its own`,
      });
      expect(await session.query('SELECT FROM ticket WHERE id = $1', [id])).toEqual([]);
    });

    it('is refused where it names a missing file', async () => {
      await expect(session.query(...insertTicket(randomUUID(), randomUUID()))).rejects.toThrow('not its own');
    });

    it('is accepted where the file becomes its own in the same transaction, in either order', async () => {
      const [one, other] = [await session.file('user', 'ada'), await session.file(null, null)];
      const [first, second] = [randomUUID(), randomUUID()];
      await session.transaction(insertTicket(first, one), give(one, 'ticket', first));
      await session.transaction(give(other, 'ticket', second), insertTicket(second, other));
    });

    it('is checked as it is at the commit', async () => {
      const fileId = await session.file('user', 'bob');
      const id = randomUUID();
      await session.transaction(insertTicket(id, fileId), [
        'UPDATE ticket SET "attachmentId" = NULL WHERE id = $1',
        [id],
      ]);
      await session.transaction(
        insertTicket(randomUUID(), fileId),
        `DELETE FROM ticket WHERE "attachmentId" = '${fileId}'`,
      );
      await expect(
        session.transaction(
          ['UPDATE ticket SET "coverId" = $2 WHERE id = $1', [id, fileId]],
          'UPDATE ticket SET version = 2',
        ),
      ).rejects.toThrow('coverId');
    });

    it('is checked under its last primary key', async () => {
      const fileId = await session.file('user', 'bob');
      const insert: [string, unknown[]] = ['INSERT INTO clause (number, "fileId") VALUES (77, $1)', [fileId]];
      await expect(session.transaction(insert, 'UPDATE clause SET key = key + 1000')).rejects.toThrow(
        'clause 77 names',
      );
    });

    it('is refused where its owner id changes and its file does not follow', async () => {
      const fileId = await session.file('clause', 5);
      await session.query('INSERT INTO clause (number, "fileId") VALUES (5, $1)', [fileId]);
      await expect(session.query('UPDATE clause SET number = 6 WHERE number = 5')).rejects.toThrow('clause 6 names');
      await session.transaction('UPDATE clause SET number = 6 WHERE number = 5', give(fileId, 'clause', 6));
    });

    it('is refused where it takes the place of a row that was removed', async () => {
      const { id, fileId } = await ticket();
      const other = randomUUID();
      const again: [string, unknown[]] = ['DELETE FROM ticket WHERE id = $1', [id]];
      await expect(session.transaction(again, insertTicket(other, fileId))).rejects.toThrow('not its own');
      await session.transaction(again, insertTicket(other, fileId), give(fileId, 'ticket', other));
    });

    it('is checked where it was deleted softly', async () => {
      const fileId = await session.file('user', 'bob');
      const { id } = await ticket();
      const remove = 'UPDATE ticket SET "deletedAt" = now(), "coverId" = $2 WHERE id = $1';
      await expect(session.query(remove, [id, fileId])).rejects.toThrow('coverId');
      await session.query(remove, [id, null]);
    });

    it('is refused where it has no owner id', async () => {
      await session.query('ALTER TABLE page ALTER "binderId" DROP NOT NULL');
      const fileId = await session.file(null, null);
      await expect(session.query('INSERT INTO page ("scanId") VALUES ($1)', [fileId])).rejects.toThrow('not its own');
      await session.query('ALTER TABLE page ALTER "binderId" SET NOT NULL');
    });

    it('is checked with the rights of the migration, whoever writes', async () => {
      await session.query('DROP ROLE IF EXISTS files_guest');
      await session.transaction('CREATE ROLE files_guest', 'GRANT SELECT, INSERT, UPDATE ON ticket TO files_guest');
      const id = randomUUID();
      const own = await session.file('ticket', id);
      await session.query('SET ROLE files_guest');
      await session.query(...insertTicket(id, own));
      await expect(session.query(...insertTicket(randomUUID(), own))).rejects.toThrow('not its own');
      await session.query('RESET ROLE');
      await session.transaction('DROP OWNED BY files_guest', 'DROP ROLE files_guest');
    });

    it('may be checked at once, as any deferred constraint', async () => {
      const fileId = await session.file('user', 'bob');
      await session.query('BEGIN');
      await session.query('SAVEPOINT one');
      await session.query('SET CONSTRAINTS ALL IMMEDIATE');
      await expect(session.query(...insertTicket(randomUUID(), fileId))).rejects.toThrow('not its own');
      await session.query('ROLLBACK');
    });
  });

  describe('a file that a row names', () => {
    it('cannot be deleted', async () => {
      const { id, fileId } = await ticket();
      await expect(session.query('DELETE FROM files_file WHERE id = $1', [fileId])).rejects.toMatchObject({
        code: '23514',
        constraint: 'files_in_use',
        message: `ticket ${id} still names file ${fileId} in attachmentId (table "public"."ticket")`,
      });
      await session.transaction(
        ['DELETE FROM files_file WHERE id = $1', [fileId]],
        ['UPDATE ticket SET "attachmentId" = NULL WHERE id = $1', [id]],
      );
    });

    it('cannot be taken from its owner, released or given another id', async () => {
      const { fileId } = await ticket();
      await expect(session.query(...give(fileId, 'user', 'bob'))).rejects.toThrow('still names');
      const release = 'UPDATE files_file SET owner_type = NULL, owner_id = NULL WHERE id = $1';
      await expect(session.query(release, [fileId])).rejects.toThrow('still names');
      const rename = 'UPDATE files_file SET id = gen_random_uuid() WHERE id = $1';
      await expect(session.query(rename, [fileId])).rejects.toThrow('still names');
      await session.query(`UPDATE files_file SET pinned = true, name = 'b.txt' WHERE id = $1`, [fileId]);
    });

    it('may be taken and given back', async () => {
      const { id, fileId } = await ticket();
      await session.transaction(give(fileId, 'user', 'bob'), give(fileId, 'ticket', id));
    });

    it('moves to another row in one transaction, in any order', async () => {
      const { id, fileId } = await ticket();
      const other = randomUUID();
      const letGo: [string, unknown[]] = ['UPDATE ticket SET "attachmentId" = NULL WHERE id = $1', [id]];
      await session.transaction(insertTicket(other, fileId), give(fileId, 'ticket', other), letGo);
      await expect(session.transaction(give(fileId, 'ticket', id), insertTicket(id, fileId))).rejects.toThrow();
    });

    it('goes after its row', async () => {
      const { id, fileId } = await ticket();
      await session.query('DELETE FROM ticket WHERE id = $1', [id]);
      await session.query('DELETE FROM files_file WHERE id = $1', [fileId]);
    });

    it('is kept by a softly deleted row', async () => {
      const { id, fileId } = await ticket();
      await session.query('UPDATE ticket SET "deletedAt" = now() WHERE id = $1', [id]);
      await expect(session.query('DELETE FROM files_file WHERE id = $1', [fileId])).rejects.toThrow('still names');
    });

    it('is kept by a row whose parent is the owner', async () => {
      const binder = randomUUID();
      await session.query('INSERT INTO binder (id) VALUES ($1)', [binder]);
      const fileId = await session.file('binder', binder);
      await session.query('INSERT INTO page ("binderId", "scanId") VALUES ($1, $2), ($1, NULL)', [binder, fileId]);
      await expect(session.query('DELETE FROM files_file WHERE id = $1', [fileId])).rejects.toThrow('scanId');
      await session.query('UPDATE page SET "scanId" = NULL WHERE "binderId" = $1', [binder]);
      await session.query('DELETE FROM files_file WHERE id = $1', [fileId]);
    });

    it('is free for owners whose id no row can have', async () => {
      for (const id of ['nonsense', '99999999999999999999', '9223372036854775808', '-', '05']) {
        const fileId = await session.file('clause', id);
        await session.query('DELETE FROM files_file WHERE id = $1', [fileId]);
      }
      const fileId = await session.file('ticket', 'nonsense');
      await session.query(...give(fileId, 'user', 'ada'));
    });

    it('cannot be deleted with all other files, unless the rows are deleted too', async () => {
      await ticket();
      await expect(session.query('TRUNCATE files_file, letter')).rejects.toMatchObject({ constraint: 'files_in_use' });
      await session.query('TRUNCATE files_file, letter, ticket, page, clause');
      await session.query('TRUNCATE files_file, letter');
    });
  });

  describe('two transactions at once', () => {
    const levels = ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'];
    const pairs = levels.flatMap((one) => levels.map((other): [string, string] => [one, other]));
    let other: RawSession;
    let watcher: RawSession;
    beforeAll(async () => {
      other = await RawSession.open(database.dataSource.options);
      watcher = await RawSession.open(database.dataSource.options);
    });
    afterEach(async () => {
      await session.query('ROLLBACK');
      await other.query('ROLLBACK');
    });
    afterAll(async () => {
      await other.close();
      await watcher.close();
    });

    /** A file of a ticket that does not name it: it may be named, and it may be taken away. */
    async function unnamed(): Promise<{ id: string; fileId: string }> {
      const id = randomUUID();
      const fileId = await session.file('ticket', id);
      await session.query('INSERT INTO ticket (id, version) VALUES ($1, 1)', [id]);
      return { id, fileId };
    }
    const name = ({ id, fileId }: { id: string; fileId: string }): [string, unknown[]] => [
      'UPDATE ticket SET "imageIds" = $2 WHERE id = $1',
      [id, JSON.stringify([fileId])],
    ];
    /** Whether the ticket names what is not its own. */
    async function isBroken({ id }: { id: string }): Promise<boolean> {
      const broken = `SELECT FROM ticket t, json_array_elements_text("imageIds"::json) i
        LEFT JOIN files_file f ON f.id = i::uuid WHERE t.id = $1 AND (f.owner_type = 'ticket' AND f.owner_id = t.id::text) IS NOT TRUE`;
      return (await watcher.query(broken, [id])).length > 0;
    }
    const takes: [string, (fileId: string) => [string, unknown[]]][] = [
      ['deletes', (fileId) => ['DELETE FROM files_file WHERE id = $1', [fileId]]],
      ['takes', (fileId) => give(fileId, 'user', 'bob')],
    ];

    describe.each(takes)('of which one names the file that the other %s', (_, take) => {
      it.each(pairs)('are not both committed: named first, at %s and %s', async (naming, taking) => {
        const row = await unnamed();
        await session.query(`BEGIN ISOLATION LEVEL ${naming}`);
        await other.query(`BEGIN ISOLATION LEVEL ${taking}`);
        await other.query('SELECT FROM ticket');
        await session.query(...name(row));
        await session.query('COMMIT');
        const taken = other.query(...take(row.fileId)).then(() => other.query('COMMIT'));
        await expect(taken).rejects.toThrow();
        expect(await isBroken(row)).toBe(false);
      });

      it.each(pairs)('are not both committed: taken first, at %s and %s', async (naming, taking) => {
        const row = await unnamed();
        await session.query(`BEGIN ISOLATION LEVEL ${naming}`);
        await session.query(...name(row));
        await other.query(`BEGIN ISOLATION LEVEL ${taking}`);
        await other.query(...take(row.fileId));
        const named = session.query('COMMIT');
        named.catch(() => undefined);
        await watcher.isWaiting(session);
        await other.query('COMMIT');
        await expect(named).rejects.toThrow();
        expect(await isBroken(row)).toBe(false);
      });

      it('are not both committed: a new row of another table, whose parent is the owner', async () => {
        const binder = randomUUID();
        await session.query('INSERT INTO binder (id) VALUES ($1)', [binder]);
        const fileId = await session.file('binder', binder);
        await other.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
        await other.query('SELECT FROM page');
        await session.query('INSERT INTO page ("binderId", "scanId") VALUES ($1, $2)', [binder, fileId]);
        await expect(other.query(...take(fileId))).rejects.toMatchObject({ code: '40001' });
      });
    });

    it('both commit when one gives the file that the other names', async () => {
      const row = await unnamed();
      await session.query(...give(row.fileId, 'user', 'ada'));
      await other.query('BEGIN');
      await other.query(...give(row.fileId, 'ticket', row.id));
      await session.query('BEGIN');
      await session.query(...name(row));
      const named = session.query('COMMIT');
      await watcher.isWaiting(session);
      await other.query('COMMIT');
      await named;
      expect(await isBroken(row)).toBe(false);
    });
  });

  describe('dropGuards()', () => {
    it('leaves nothing, and createGuards() puts it back', async () => {
      const runner = database.dataSource.createQueryRunner();
      const left = () =>
        session.query(`SELECT proname FROM pg_proc WHERE proname LIKE 'nestjs_files%'
          UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE 'nestjs_files%'`);
      const before = await left();
      expect(before).not.toEqual([]);
      await dropGuards(runner, [Ticket, 'page', Clause]);
      expect(await left()).toEqual([]);
      await dropGuards(runner, [Ticket]);
      const fileId = await session.file('user', 'bob');
      const id = randomUUID();
      await session.query(...insertTicket(id, fileId));
      await expect(createGuards(runner, [Ticket])).rejects.toThrow(
        `The database cannot guard Ticket: Ticket ${id} names file ${fileId} in attachmentId`,
      );
      expect(await left()).toEqual([]);
      await createGuards(runner, [Ticket], { validate: false });
      await session.query('DELETE FROM ticket');
      await createGuards(runner, [Ticket, Page, Clause]);
      expect(await left()).toHaveLength(before.length);
      await runner.release();
    });

    it('comes before the table is dropped', async () => {
      await expect(session.query('DROP TABLE clause')).rejects.toThrow('depend');
    });
  });

  it('make no difference to the entities', async () => {
    const { upQueries } = await database.dataSource.driver.createSchemaBuilder().log();
    expect(upQueries).toEqual([]);
    await database.dataSource.synchronize();
    const [count] = await session.query(`SELECT count(*)::int AS n FROM pg_trigger WHERE tgname LIKE 'nestjs_files%'`);
    expect(count).toEqual({ n: 15 });
  });
});
