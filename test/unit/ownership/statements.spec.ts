import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DataSource } from 'typeorm';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { FileTransfer } from '../../../lib/ownership/file-transfer.entity.js';
import type { TransferRuntime } from '../../../lib/ownership/transfer-runtime.js';
import { heldFiles } from '../../../lib/ownership/statements/held-files.js';
import type { Holding } from '../../../lib/ownership/statements/held-files.js';
import { MysqlStatements } from '../../../lib/ownership/statements/mysql.statements.js';
import { PortableStatements } from '../../../lib/ownership/statements/portable.statements.js';
import { PostgresStatements } from '../../../lib/ownership/statements/postgres.statements.js';
import { SqliteStatements } from '../../../lib/ownership/statements/sqlite.statements.js';
import { stateOf } from '../../../lib/ownership/statements/transfer-statements.js';
import type { Move, TransferStatements, TransferTerms } from '../../../lib/ownership/statements/transfer-statements.js';
import { transferStatementsFor } from '../../../lib/ownership/statements/transfer-statements-for.js';
import { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { fileById, historyOf, insertFile, reachableDatabases } from '../../support/ownership-databases.js';
import { IN_MEMORY } from '../../support/databases.js';
import type { OpenDatabase } from '../../support/databases.js';
import { ownerOf } from '../../../lib/files/owner-reference.js';

const actor = { type: 'user', id: 'ada' };
const target = { toType: 'package', toId: '7' };
const terms: TransferTerms = { actor, isManager: false, force: false, pin: true };

function to(fileId: string, move: Partial<Move> = {}): Move {
  return { fileId, ...target, field: 'attachmentId', from: 'actor', ...move };
}

const databases = await reachableDatabases();
const forms = databases.flatMap((database) => [
  { form: database.name, database, statementsFor: transferStatementsFor },
  { form: `${database.name}, portable`, database, statementsFor: (): TransferStatements => new PortableStatements() },
]);

describe.each(forms)('transfer statements on $form', ({ database, statementsFor }) => {
  let open: OpenDatabase;
  let dataSource: DataSource;
  let statements: TransferStatements;

  beforeAll(async () => {
    open = await database.open();
    dataSource = open.dataSource;
    statements = statementsFor(dataSource);
  }, 60_000);
  afterAll(() => open?.close());

  const transfer = (moves: Move[], changed: Partial<TransferTerms> = {}) =>
    dataSource.transaction((manager) => statements.transfer(manager, moves, { ...terms, ...changed }));

  const mine = { ownerType: 'user', ownerId: 'ada' };
  const theirs = { ownerType: 'user', ownerId: 'bob' };
  const itsOwn = { ownerType: 'package', ownerId: '7' };
  const pinned = { pinned: true };
  const nobody: TransferTerms['actor'] = null;

  it.each([
    { file: mine, move: {}, change: {}, verdict: 'moved' },
    { file: { ...mine, ...pinned }, move: {}, change: {}, verdict: 'pinned' },
    { file: { ...mine, ...pinned }, move: {}, change: { force: true }, verdict: 'moved' },
    { file: mine, move: {}, change: { actor: nobody }, verdict: 'foreign' },
    { file: { ownerType: 'user', ownerId: 'Ada' }, move: {}, change: {}, verdict: 'foreign' },
    { file: { ownerType: 'package', ownerId: 'ada' }, move: {}, change: {}, verdict: 'foreign' },
    { file: theirs, move: {}, change: {}, verdict: 'foreign' },
    { file: { ...theirs, ...pinned }, move: {}, change: {}, verdict: 'foreign' },
    { file: theirs, move: { from: 'unowned' as const }, change: {}, verdict: 'foreign' },
    { file: theirs, move: { from: 'anyone' as const }, change: {}, verdict: 'moved' },
    { file: { ...theirs, ...pinned }, move: { from: 'anyone' as const }, change: {}, verdict: 'pinned' },
    { file: theirs, move: {}, change: { isManager: true }, verdict: 'moved' },
    { file: { ...theirs, ...pinned }, move: {}, change: { isManager: true }, verdict: 'pinned' },
    { file: { ownerType: 'part', ownerId: '7' }, move: {}, change: {}, verdict: 'foreign' },
    { file: { ownerType: 'package', ownerId: '8' }, move: {}, change: {}, verdict: 'foreign' },
    { file: {}, move: {}, change: {}, verdict: 'foreign' },
    { file: {}, move: {}, change: { actor: nobody }, verdict: 'foreign' },
    { file: {}, move: { from: 'unowned' as const }, change: { actor: nobody }, verdict: 'moved' },
    { file: {}, move: { from: 'anyone' as const }, change: {}, verdict: 'moved' },
    { file: {}, move: {}, change: { isManager: true }, verdict: 'moved' },
    { file: itsOwn, move: {}, change: {}, verdict: 'kept' },
    { file: { ...itsOwn, ...pinned }, move: {}, change: { actor: nobody }, verdict: 'kept' },
    { file: null, move: { from: 'anyone' as const }, change: { isManager: true, force: true }, verdict: 'missing' },
  ])('says $verdict for $file, $move, $change', async ({ file, move, change, verdict }) => {
    const id = file ? await insertFile(dataSource, file) : uuidV7();
    const other = await insertFile(dataSource, mine);
    const alone = await transfer([to(id, move)], change);
    expect(alone.map((outcome) => [outcome.fileId, outcome.verdict])).toEqual([[id, verdict]]);
    if (file) {
      expect(alone[0]?.before).toEqual({ ownerType: null, ownerId: null, pinned: false, ...file });
      const expected = verdict === 'moved' ? { ...itsOwn, pinned: true, ownerField: 'attachmentId' } : file;
      expect(await fileById(dataSource, id)).toMatchObject(expected);
      expect(await historyOf(dataSource, id)).toHaveLength(verdict === 'moved' ? 1 : 0);
    }
    const again = file ? await insertFile(dataSource, file) : uuidV7();
    const together = await transfer([to(other, { from: 'anyone' }), to(again, move)], change);
    expect(together.map((outcome) => outcome.verdict)).toEqual(['moved', verdict]);
    const isRefused = verdict !== 'moved' && verdict !== 'kept';
    expect(await fileById(dataSource, other)).toMatchObject(isRefused ? mine : { ...itsOwn, pinned: true });
    expect(await historyOf(dataSource, other)).toHaveLength(isRefused ? 0 : 1);
  });

  const inUse = { ...itsOwn, ownerField: 'attachmentId' };
  const later = { replacedAt: new Date(2_000) };
  const patient = { attachPending: false };

  it.each([
    { file: mine, seen: 0, verdict: 'moved' },
    { file: { ...mine, ...later }, seen: 2_000, verdict: 'moved' },
    { file: { ...mine, ...later }, seen: 0, verdict: 'changed' },
    { file: { ...mine, ...later }, seen: undefined, verdict: 'moved' },
    { file: { ...itsOwn, ...later }, seen: 0, verdict: 'changed' },
    { file: { ...itsOwn, ...pinned, ...later }, seen: 0, verdict: 'kept' },
    { file: { ...inUse, ...later }, seen: 0, verdict: 'kept' },
    { file: { ...theirs, ...later }, seen: 0, verdict: 'foreign' },
    { file: { ...mine, ...pinned, ...later }, seen: 0, verdict: 'pinned' },
    { file: { ...mine, scan: 'infected' as const }, seen: 0, verdict: 'quarantined' },
    { file: { ...mine, ...later, scan: 'infected' as const }, seen: 0, verdict: 'quarantined' },
    { file: { ...mine, scan: 'infected' as const }, seen: undefined, verdict: 'moved' },
    { file: { ...itsOwn, scan: 'infected' as const }, seen: 0, verdict: 'quarantined' },
    { file: { ...itsOwn, ...pinned, scan: 'infected' as const }, seen: 0, verdict: 'kept' },
    { file: { ...inUse, scan: 'infected' as const }, seen: 0, verdict: 'kept' },
    { file: { ...mine, scan: 'pending' as const }, seen: 0, verdict: 'moved' },
    { file: { ...mine, scan: 'failed' as const }, seen: 0, verdict: 'moved' },
    { file: { ...mine, scan: 'clean' as const }, seen: 0, change: patient, verdict: 'moved' },
    { file: { ...mine, scan: 'pending' as const }, seen: 0, change: patient, verdict: 'pending' },
    { file: { ...itsOwn, scan: 'pending' as const }, seen: 0, change: patient, verdict: 'pending' },
    { file: { ...mine, scan: 'failed' as const }, seen: 0, change: patient, verdict: 'quarantined' },
    { file: { ...mine, scan: 'pending' as const }, seen: undefined, change: patient, verdict: 'moved' },
  ])('says $verdict for $file where the check saw $seen, $change', async ({ file, seen, change = {}, verdict }) => {
    const [alone, id] = [await insertFile(dataSource, file), await insertFile(dataSource, file)];
    const other = await insertFile(dataSource, mine);
    expect(await transfer([to(alone, { seen })], change)).toMatchObject([{ verdict }]);
    expect(await transfer([to(other, { seen: 0 }), to(id, { seen })], change)).toMatchObject([
      { verdict: 'moved' },
      { verdict },
    ]);
    const isTaken = verdict === 'moved' || verdict === 'kept';
    for (const one of [alone, id]) expect(await fileById(dataSource, one)).toMatchObject(isTaken ? itsOwn : file);
    expect(await fileById(dataSource, other)).toMatchObject(isTaken ? itsOwn : mine);
  });

  it('writes the actor, the file and both owners into the history', async () => {
    const before = Date.now() - 2;
    const owned = await insertFile(dataSource, { ...mine, pinned: true });
    const unowned = await insertFile(dataSource);
    await transfer([to(owned), to(unowned, { from: 'unowned', toType: 'ресурс', toId: "o'📎" })], { force: true });
    const [[first], [second]] = await Promise.all([historyOf(dataSource, owned), historyOf(dataSource, unowned)]);
    const from = { fromType: 'user', fromId: 'ada' };
    const by = { action: 'transfer', actorType: 'user', actorId: 'ada' };
    expect(first).toMatchObject({ ...by, ...from, fileId: owned, toType: 'package', toId: '7', forced: true });
    expect(second).toMatchObject({
      ...by,
      fromType: null,
      fromId: null,
      toType: 'ресурс',
      toId: "o'📎",
      forced: false,
    });
    expect(first?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(first?.at.getTime()).toBeGreaterThanOrEqual(before);
    expect(first?.at.getTime()).toBeLessThanOrEqual(Date.now() + 2);
    expect(await fileById(dataSource, unowned)).toMatchObject({ ownerType: 'ресурс', ownerId: "o'📎" });
  });

  it('leaves a pin as it is where none is asked for', async () => {
    const free = await insertFile(dataSource, mine);
    const held = await insertFile(dataSource, { ...mine, pinned: true });
    await transfer([to(free, { field: null }), to(held)], { pin: false, force: true });
    expect(await fileById(dataSource, free)).toMatchObject({ pinned: false, ownerField: null, ...itsOwn });
    expect(await fileById(dataSource, held)).toMatchObject({ pinned: true, ...itsOwn });
  });

  it.each([
    { file: 'a draft that moves', move: {}, owner: mine },
    { file: 'a draft among files that go to several owners', move: { toId: '8' }, owner: mine },
    { file: 'a draft whose owner names it', move: {}, owner: itsOwn },
  ])('ends $file', async ({ move, owner }) => {
    const draft = await insertFile(dataSource, { ...owner, expiresAt: new Date(Date.now() + 60_000) });
    const other = await insertFile(dataSource, mine);
    await transfer([to(other), to(draft, move)]);
    expect(await fileById(dataSource, draft)).toMatchObject({ expiresAt: null, ownerField: 'attachmentId' });
    expect(await fileById(dataSource, other)).toMatchObject({ expiresAt: null, ownerId: '7' });
  });

  it('gives each row of a history a later instant than the one before', async () => {
    const id = await insertFile(dataSource, mine);
    const ahead = new Date(Date.now() + 60_000);
    await dataSource.getRepository(FileTransfer).insert({ ...blank(id), id: uuidV7(), at: ahead });
    await transfer([to(id)]);
    await dataSource.transaction((manager) =>
      statements.record(manager, [{ fileId: id, action: 'unpin', from: null, to: null, forced: false }], null),
    );
    const history = await historyOf(dataSource, id);
    expect(history.map(({ action, at }) => [action, at.getTime() - ahead.getTime()])).toEqual([
      ['create', 0],
      ['transfer', 1],
      ['unpin', 2],
    ]);
    expect(history[2]).toMatchObject({ actorType: null, actorId: null, fromType: null, toId: null });
    const other = await insertFile(dataSource, mine);
    await transfer([to(other)]);
    expect((await historyOf(dataSource, other))[0]?.at.getTime()).toBeLessThan(ahead.getTime());
  });

  it('looks at files and locks them, leaving out missing ones', async () => {
    const ids = [
      await insertFile(dataSource, { ...mine, size: 5_000_000_000 }),
      await insertFile(dataSource),
      uuidV7(),
    ];
    const looked = await statements.look(dataSource.manager, ids);
    const locked = await dataSource.transaction((manager) => statements.lock(manager, ids));
    const first = {
      id: ids[0],
      ...mine,
      pinned: false,
      storage: 'default',
      contentType: 'application/pdf',
      size: 5_000_000_000,
      ownerField: null,
      isDraft: false,
      scan: null,
      replacedAt: 0,
    };
    expect(looked).toHaveLength(2);
    expect(looked).toContainEqual(first);
    expect(locked).toContainEqual(first);
    expect(await statements.look(dataSource.manager, [])).toEqual([]);
  });

  it('locks only the given files, in the order of their ids; a look locks no file', async () => {
    if (database.kind === 'memory') return;
    const [a, b, other] = [uuidV7(), uuidV7(), uuidV7()];
    for (const id of [b, other, a]) await insertFile(dataSource, { id });
    const isFree = async (id: string) => {
      const rows: unknown[] = await dataSource.query(
        `SELECT id FROM files_file WHERE id = '${id}' FOR UPDATE SKIP LOCKED`,
      );
      return rows.length === 1;
    };
    await dataSource.transaction('READ COMMITTED', async (manager) => {
      await statements.look(manager, [a, b]);
      expect(await isFree(a)).toBe(true);
      const locked = await statements.lock(manager, [b, a]);
      expect(locked.map(({ id }) => id)).toEqual([a, b]);
      expect(await Promise.all([a, b, other].map(isFree))).toEqual([false, false, true]);
    });
  });

  it('notes the field of a file that its owner has already, and leaves the rest of the row alone', async () => {
    const id = await insertFile(dataSource, { ...itsOwn, ownerField: 'coverId' });
    const fresh = await insertFile(dataSource, mine);
    const outcomes = await transfer([to(id), to(fresh)]);
    expect(outcomes.map(({ verdict }) => verdict)).toEqual(['kept', 'moved']);
    expect(await fileById(dataSource, id)).toMatchObject({ ...itsOwn, ownerField: 'attachmentId', pinned: false });
    await transfer([to(id, { field: null })]);
    expect(await fileById(dataSource, id)).toMatchObject({ ownerField: 'attachmentId' });
    expect(await historyOf(dataSource, id)).toEqual([]);
  });

  it.each([{ toType: 'part' }, { toId: '8' }, { field: 'coverId' }, { field: null }])(
    'moves two files that have all in common but %j',
    async (difference) => {
      const [one, other] = [await insertFile(dataSource, mine), await insertFile(dataSource, mine)];
      const moves = [to(one), to(other, difference)];
      await transfer(moves);
      const rows = await Promise.all([one, other].map((id) => fileById(dataSource, id)));
      expect(rows.map((row) => [row?.ownerType, row?.ownerId, row?.ownerField])).toEqual(
        moves.map(({ toType, toId, field }) => [toType, toId, field]),
      );
    },
  );

  it('applies to each file the terms of its own move', async () => {
    const [one, other] = [await insertFile(dataSource, theirs), await insertFile(dataSource, theirs)];
    const verdicts = async (moves: Move[]) => (await transfer(moves)).map(({ verdict }) => verdict);
    expect(await verdicts([to(one, { from: 'anyone' }), to(other)])).toEqual(['moved', 'foreign']);
    expect(await verdicts([to(one), to(other, { from: 'anyone' })])).toEqual(['foreign', 'moved']);
    expect(await verdicts([])).toEqual([]);
  });

  it('writes the reason into each line of the history', async () => {
    const [one, other] = [await insertFile(dataSource), await insertFile(dataSource)];
    const entries = [
      { fileId: one, action: 'release' as const, from: { type: 'a', id: '1' }, to: null, forced: false },
      { fileId: other, action: 'transfer' as const, from: null, to: { type: 'b', id: '2' }, forced: true },
    ];
    await dataSource.transaction((manager) => statements.record(manager, entries, actor));
    expect([...(await historyOf(dataSource, one)), ...(await historyOf(dataSource, other))]).toMatchObject([
      { action: 'release', fromType: 'a', fromId: '1', toType: null, toId: null, forced: false, actorId: 'ada' },
      { action: 'transfer', fromType: null, fromId: null, toType: 'b', toId: '2', forced: true, actorType: 'user' },
    ]);
  });

  it('finds the files of owners, or those that a field of theirs holds', async () => {
    const of = (ownerType: string, ownerId: string, ownerField: string | null) =>
      insertFile(dataSource, { ownerType, ownerId, ownerField });
    const a = await of('shelf', '1', 'a');
    const b = await of('shelf', '1', 'b');
    const other = await of('shelf', '2', 'a');
    await of('board', '1', 'a');
    const none = await of('board', '2', null);
    const shelf = { type: 'shelf', id: '1' };
    const held = async (...holdings: Holding[]) =>
      new Set(await heldFiles({} as TransferRuntime, dataSource.manager, holdings));
    expect(await held({ owner: shelf })).toEqual(new Set([a, b]));
    expect(await held({ owner: shelf, field: 'a' })).toEqual(new Set([a]));
    expect(await held({ owner: shelf, field: 'b' }, { owner: { type: 'board', id: '2' } })).toEqual(new Set([b, none]));
    expect(await held({ owner: shelf, field: 'a' }, { owner: { type: 'shelf', id: '2' }, field: 'a' })).toEqual(
      new Set([a, other]),
    );
    expect(await held()).toEqual(new Set());
  });

  it('moves several files to several owners', async () => {
    const ids = await Promise.all(Array.from({ length: 30 }, () => insertFile(dataSource, mine)));
    const outcomes = await transfer(ids.map((id, index) => to(id, { toType: 'resource', toId: `r${index}` })));
    expect(outcomes.map(({ fileId }) => fileId)).toEqual(ids);
    const owners = await Promise.all(ids.map(async (id) => (await fileById(dataSource, id))?.ownerId));
    expect(owners).toEqual(ids.map((_, index) => `r${index}`));
  });
});

function blank(fileId: string): Omit<FileTransfer, 'id' | 'at'> {
  const nothing = { fromType: null, fromId: null, toType: null, toId: null, actorType: null, actorId: null };
  return { fileId, action: 'create', forced: false, ...nothing };
}

it('treats a file with half an owner like a missing one', () => {
  expect(ownerOf({ ownerType: 'user', ownerId: 'ada' })).toEqual({ type: 'user', id: 'ada' });
  expect(ownerOf({ ownerType: null, ownerId: null })).toBeNull();
  expect(ownerOf({ ownerType: 'user', ownerId: null })).toBeNull();
  expect(ownerOf({ ownerType: null, ownerId: 'ada' })).toBeNull();
  expect(stateOf(undefined)).toEqual({ ownerType: null, ownerId: null, pinned: false });
});

describe('the statements for a database', () => {
  it.each([
    ['postgres', PostgresStatements],
    ['mysql', MysqlStatements],
    ['mariadb', MysqlStatements],
    ['better-sqlite3', SqliteStatements],
    ['sqljs', SqliteStatements],
    ['oracle', PortableStatements],
  ])('come from %s, and otherwise from those that all databases share', async (type, expected) => {
    const dataSource = new DataSource({ ...IN_MEMORY, entities: [ManagedFile, FileTransfer] });
    await dataSource.initialize();
    const named = Object.create(dataSource, { options: { value: { type } } }) as DataSource;
    expect(transferStatementsFor(named)).toBeInstanceOf(expected);
    await dataSource.destroy();
  });
});

describe.each(databases.filter(({ kind }) => kind === 'postgres'))('plans on $name', ({ open: openDatabase }) => {
  it.each([undefined, true, false])('stay with a connection where it allows that: %s', async (isPrepared) => {
    const { dataSource, close } = await openDatabase();
    const transactor = new Transactor(dataSource);
    try {
      const statements = transferStatementsFor(dataSource, isPrepared);
      const id = await insertFile(dataSource);
      const kept = await transactor.run(async ({ manager }) => {
        // One file, two for one owner, two for two owners.
        const other = await insertFile(dataSource);
        for (const moves of [[id], [id, other]]) {
          await statements.transfer(
            manager,
            moves.map((file) => to(file, { from: 'anyone' })),
            terms,
          );
        }
        await statements.transfer(manager, [to(id), to(other, { toId: '8' })], {
          ...terms,
          isManager: true,
          force: true,
        });
        await statements.lock(manager, [id]);
        await statements.look(manager, [id]);
        await statements.look(manager, [id, uuidV7()]);
        await statements.record(manager, [], null);
        const [row] = await manager.query<{ count: string }[]>('SELECT count(*) FROM pg_prepared_statements');
        return Number(row?.count);
      });
      expect(kept).toBe(isPrepared === false ? 0 : 7);
    } finally {
      transactor.close();
      await close();
    }
  });
});

describe.each(databases)('the number of statements on $name', ({ open: openDatabase }) => {
  const ways = { 'to one owner': () => '7', 'to an owner each': (index: number) => String(index) };

  it('counts the decision alone where no file moves', async () => {
    const { dataSource, close } = await openDatabase();
    try {
      const statements = transferStatementsFor(dataSource);
      const id = await insertFile(dataSource, { ownerType: 'package', ownerId: '7', ownerField: 'attachmentId' });
      await dataSource.transaction(async (manager) => {
        const asked = vi.spyOn(manager.queryRunner!, 'query');
        await statements.transfer(manager, [to(id)], terms);
        expect(asked).toHaveBeenCalledTimes(1);
        await statements.transfer(manager, [to(id, { field: 'coverId' })], terms);
        expect(asked).toHaveBeenCalledTimes(dataSource.options.type === 'postgres' ? 2 : 3);
        await statements.transfer(manager, [to(id, { field: null })], terms);
        expect(asked).toHaveBeenCalledTimes(dataSource.options.type === 'postgres' ? 3 : 4);
      });
    } finally {
      await close();
    }
  });

  it.each(Object.entries(ways))('does not depend on the number of files: %s', async (_, ownerOf) => {
    const { dataSource, close } = await openDatabase();
    try {
      const statements = transferStatementsFor(dataSource);
      const counts: number[] = [];
      for (const size of [1, 2, 300]) {
        const ids = await Promise.all(
          Array.from({ length: size }, () => insertFile(dataSource, { ownerType: 'user', ownerId: 'ada' })),
        );
        await dataSource.transaction(async (manager) => {
          const query = manager.queryRunner!.query.bind(manager.queryRunner);
          let count = 0;
          manager.queryRunner!.query = ((...args: Parameters<typeof query>) => (
            count++,
            query(...args)
          )) as typeof query;
          await statements.transfer(
            manager,
            ids.map((id, index) => to(id, { toId: ownerOf(index) })),
            terms,
          );
          counts.push(count);
        });
      }
      expect(new Set(counts)).toEqual(new Set([dataSource.options.type === 'postgres' ? 1 : 3]));
    } finally {
      await close();
    }
  });
});

describe.each(databases.filter(({ kind }) => kind !== 'memory'))(
  'racing transfers on $name',
  ({ open: openDatabase }) => {
    it('give a file to exactly one of two owners, whose history row agrees, and never deadlock', async () => {
      const { dataSource, close } = await openDatabase();
      try {
        const statements = transferStatementsFor(dataSource);
        const attach = (ids: string[], toId: string) =>
          dataSource.transaction('READ COMMITTED', (manager) =>
            statements.transfer(
              manager,
              ids.map((id) => to(id, { toId })),
              terms,
            ),
          );
        for (let round = 0; round < 40; round++) {
          const files = await Promise.all(
            [1, 2, 3].map(() => insertFile(dataSource, { ownerType: 'user', ownerId: 'ada' })),
          );
          const races = await Promise.all([
            attach(files, 'left'),
            attach(files.toReversed(), 'right'),
            attach(files.slice(1), 'third'),
          ]);
          const winners = races.filter((outcomes) => outcomes.every(({ verdict }) => verdict === 'moved'));
          expect(winners.length).toBeGreaterThanOrEqual(1);
          for (const id of files) {
            const file = await fileById(dataSource, id);
            const history = await historyOf(dataSource, id);
            expect(history.map(({ toId }) => toId)).toEqual(file?.ownerType === 'package' ? [file.ownerId] : []);
          }
          for (const outcomes of races) {
            const verdicts = new Set(outcomes.map(({ verdict }) => verdict));
            if (!verdicts.has('foreign')) expect(verdicts).toEqual(new Set(['moved']));
          }
        }
      } finally {
        await close();
      }
    }, 60_000);

    it.each([1, 3])('do not wait for a transaction that holds other files: %i', async (size) => {
      const { dataSource, close } = await openDatabase();
      try {
        const statements = transferStatementsFor(dataSource);
        const held = await insertFile(dataSource, {});
        const free = await Promise.all(Array.from({ length: size }, () => insertFile(dataSource, {})));
        const attach = (ids: string[]) =>
          dataSource.transaction('READ COMMITTED', (manager) =>
            statements.transfer(
              manager,
              ids.map((id) => to(id, { toId: 'p', from: 'anyone' })),
              terms,
            ),
          );
        await dataSource.transaction('READ COMMITTED', async (holder) => {
          await statements.lock(holder, [held]);
          // While the holder is still there: waiting for it would never end.
          expect(await attach(free)).toMatchObject(free.map((fileId) => ({ fileId, verdict: 'moved' })));
        });
      } finally {
        await close();
      }
    });
  },
);
