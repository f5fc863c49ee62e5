import { randomUUID } from 'node:crypto';
import { tracingChannel } from 'node:diagnostics_channel';
import { Readable } from 'node:stream';
import { EntityManager } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ManagedFile, TaskQueue } from '../../../lib/index.js';
import { FILES_CHANNELS } from '../../../lib/entry/diagnostics.js';
import { FilesAudit } from '../../../lib/entry/maintenance.js';
import type { AuditTrace } from '../../../lib/entry/diagnostics.js';
import type { AuditFinding, AuditOptions } from '../../../lib/entry/maintenance.js';
import { databaseStorage } from '../../../lib/storage/adapters/database.storage.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { faultyStorage } from '../../../lib/testing/index.js';
import { AUDITED, Loan, Slot, Stamp } from '../../support/audit-entities.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Binder, GUARDED, Page, Ticket } from '../../support/guarded-entities.js';
import { deletePast, emptyPast, updatePast } from '../../support/past-the-guard.js';

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('an audit on $name', (database) => {
  const storage = faultyStorage(memoryStorage());
  const storages = {
    default: storage,
    database: databaseStorage(),
    // Bytes that may be looked at and not read, and those that may not even be looked at.
    seen: memoryStorage({ disable: ['read'] }),
    closed: memoryStorage({ disable: ['read', 'stat'] }),
  };
  let app: GuardedApp;
  let audit: FilesAudit;

  beforeAll(async () => {
    app = await guardedApp({ database, entities: [...GUARDED, ...AUDITED], options: { storages } });
    audit = app.app.get(FilesAudit);
  });
  beforeEach(() => emptyPast(app.dataSource));
  afterAll(() => app.close());

  const run = async (options?: AuditOptions): Promise<AuditFinding[]> => {
    const findings: AuditFinding[] = [];
    for await (const finding of audit.run(options)) findings.push(finding);
    return findings.toSorted((one, other) => (one.kind < other.kind ? -1 : 1));
  };
  const kinds = async (options?: AuditOptions) => (await run(options)).map(({ kind }) => kind).toSorted();
  const create = (text: string, storageName = 'default') =>
    app.files.create(Buffer.from(text), { name: 'a.txt', storage: storageName, owner: { type: 'user', id: 'ada' } });
  const setFile = (id: string, values: Record<string, unknown>) =>
    updatePast(app.dataSource, ManagedFile, { id }, values);
  // SQLite takes no more conditions than a thousand, and TypeORM reads back what it inserted.
  const insertAll = async <E extends object>(entity: new () => E, rows: object[]): Promise<void> => {
    const repository = app.dataSource.getRepository<E>(entity);
    for (let at = 0; at < rows.length; at += 500) await repository.insert(rows.slice(at, at + 500) as never);
  };
  const tickets = () => app.dataSource.getRepository(Ticket);

  describe('of bytes', () => {
    it('finds bytes that are missing or have another size', async () => {
      const [one, other] = [await create('one'), await create('other', 'database')];
      await storages.default.remove(one.location);
      await setFile(other.id, { size: 4 });

      const found = [
        { kind: 'missing-bytes', fileId: one.id, storage: 'default', location: one.location },
        { kind: 'wrong-size', fileId: other.id, storage: 'database', location: other.location, expected: 4, found: 5 },
      ];
      expect(await run()).toEqual(found);
      expect(await run({ deep: true, concurrency: 1 })).toEqual(found);
      expect(await run({ bytes: false })).toEqual([]);
    });

    it('finds other bytes of the same size, where they are read', async () => {
      const { id, location, hash } = await create('one');
      await storage.remove(location);
      await storage.write(location, Readable.from([Buffer.from('two')]));

      expect(await run()).toEqual([]);
      expect(await run({ deep: true })).toEqual([
        {
          kind: 'wrong-hash',
          fileId: id,
          storage: 'default',
          location,
          algorithm: 'sha256',
          expected: hash,
          found: '3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3',
        },
      ]);
    });

    it('reports the files whose bytes it cannot check, with the reason', async () => {
      const files = [await create('a'), await create('b'), await create('c')];
      await setFile(files[0]!.id, { storage: 'attic' });
      await setFile(files[1]!.id, { hashAlgorithm: 'rot13' });
      storage.failFrom(1, 'before', new Error('no network'));
      const found = await run({ concurrency: 1 });
      storage.heal();

      // Several files are looked at side by side.
      expect(found).toHaveLength(3);
      expect(found).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ fileId: files[0]!.id, storage: 'attic', reason: 'no storage is named "attic"' }),
          expect.objectContaining({ fileId: files[1]!.id, reason: expect.stringContaining('no network') as string }),
          expect.objectContaining({ kind: 'unchecked-bytes', fileId: files[2]!.id }),
        ]),
      );
      expect(await kinds({ deep: true })).toEqual(['unchecked-bytes', 'unchecked-bytes']);
    });

    it('asks a storage only for its verbs', async () => {
      const [seen, closed] = [await create('seen', 'seen'), await create('closed', 'closed')];
      for (const { id } of [seen, closed]) await setFile(id, { size: 1, hash: 'other' });

      expect(await kinds()).toEqual(['wrong-size']);
      expect(await kinds({ deep: true })).toEqual(['wrong-size']);
    });

    it('takes no file for one without bytes that is deleted, moved or replaced meanwhile', async () => {
      const files = [await create('a'), await create('b'), await create('c'), await create('d')];
      const changes = [
        () => app.files.delete(files[0]!.id),
        () => app.files.move(files[1]!.id, 'database'),
        () => app.files.replace(files[2]!.id, Buffer.from('longer')),
      ];
      // Between the row and the bytes that it refers to.
      const slow = storages.default.stat.bind(storages.default);
      Object.assign(storages.default, {
        stat: async (location: string) => {
          await changes.shift()?.();
          return slow(location);
        },
      });
      onTestFinished(() => void Reflect.deleteProperty(storages.default, 'stat'));

      expect(await run({ concurrency: 1 })).toEqual([]);
      expect(changes).toEqual([]);
    });
  });

  describe('of everything', () => {
    it('goes through more rows and files than a page has, each once', async () => {
      const slots = Array.from({ length: 1_150 }, (_, place) => ({ shelfId: `S${place % 7}`, place }));
      await app.dataSource.getRepository('Shelf').insert(Array.from({ length: 7 }, (_, n) => ({ id: `S${n}` })));
      await insertAll(Slot, slots);
      await insertAll(
        Ticket,
        Array.from({ length: 1_010 }, () => ({ title: 'a' })),
      );
      await updatePast(app.dataSource, Slot, {}, { bookIds: 'no id' });
      await updatePast(app.dataSource, Ticket, {}, { coverId: randomUUID() });
      const file = await app.dataSource.getRepository(ManagedFile).findOneByOrFail({ id: await app.fileOf('loan', 0) });
      const files = Array.from({ length: 2_019 }, (_, n) => {
        return { ...file, id: randomUUID(), ownerId: String(n + 1), location: `l${n}`, locationKey: `l${n}` };
      });
      await insertAll(ManagedFile, files);
      app.statements.length = 0;

      const findings = await run({ bytes: false });
      const distinct = (kind: string) =>
        new Set(findings.flatMap((one) => (one.kind === kind ? [JSON.stringify(one)] : [])));
      expect(findings).toHaveLength(1_150 + 1_010 + 2_020);
      expect(distinct('invalid-id').size).toBe(1_150);
      expect(distinct('missing-file').size).toBe(1_010);
      expect(distinct('owner-gone').size).toBe(2_020);
      expect(app.statements.length).toBeLessThan(80);
    });

    it('reads all rows of an owner that has more than a page of them', async () => {
      const { id: binderId } = await app.dataSource.getRepository(Binder).save(new Binder());
      const pages = app.dataSource.getRepository(Page);
      await insertAll(
        Page,
        Array.from({ length: 1_200 }, () => ({ binderId })),
      );
      const scanId = await app.fileOf('binder', binderId);
      const last = await pages.findOneOrFail({ where: { binderId }, order: { id: 'DESC' } });
      await pages.update(last.id, { scanId });
      const unnamed = await app.fileOf('binder', binderId);

      expect(await run()).toMatchObject([{ kind: 'unnamed-file', fileId: unnamed }]);
    });

    it('ends with the loop, and leaves nothing behind', async () => {
      for (let n = 0; n < 3; n++) await app.fileOf('loan', n);
      const seen: AuditFinding[] = [];
      const findings = audit.run();
      for await (const finding of findings) {
        seen.push(finding);
        break;
      }

      expect(seen).toHaveLength(1);
      expect(await findings.next()).toEqual({ done: true, value: undefined });
      // Were a transaction open, SQLite would wait for it, and PostgreSQL say so.
      await tickets().insert({ title: 'after' });
      if (database.kind === 'postgres') {
        const open = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'`;
        expect(await app.dataSource.query(open)).toEqual([{ n: 0 }]);
      }
    });

    it('ends with its signal, in the middle of a file that it reads', async () => {
      const { location } = await create('one');
      const reading = gate();
      const stream = new Readable({ read: () => reading.open() });
      Object.assign(storage, {
        read: (where: string) => Promise.resolve(where === location ? stream : Readable.from([])),
      });
      onTestFinished(() => void Reflect.deleteProperty(storage, 'read'));
      const controller = new AbortController();
      const done = run({ deep: true, signal: controller.signal });
      await reading.opened;
      controller.abort(new Error('enough'));

      await expect(done).rejects.toThrow('enough');
      expect(stream.destroyed).toBe(true);
      await expect(run({ signal: controller.signal })).rejects.toThrow('enough');
    });

    it('reads committed rows, and waits for no unit of work that calls it', async () => {
      const loan = await app.dataSource.getRepository(Loan).save({});
      await app.fileOf('loan', loan.id);
      const found = app.queue.run(async () => {
        await app.dataSource.getRepository(Loan).delete(loan.id);
        return run();
      });
      // SQLite has one connection, which is the unit's.
      if (database.kind === 'memory') return expect(found).rejects.toMatchObject({ code: 'FILES_LEASE_TIMEOUT' });
      expect(await found).toEqual([]);
      expect(await kinds()).toEqual(['owner-gone']);
    });

    it('is traced from its first step to its end', async () => {
      await app.fileOf('loan', 1);
      await tickets().insert({ title: 'a' });
      const traces: AuditTrace[] = [];
      const channel = tracingChannel<unknown, AuditTrace>(FILES_CHANNELS.audit);
      const none = (): void => undefined;
      const subscribers = {
        start: none,
        end: none,
        asyncStart: none,
        error: none,
        asyncEnd: (one: AuditTrace) => traces.push(one),
      };
      channel.subscribe(subscribers as never);
      onTestFinished(() => channel.unsubscribe(subscribers as never));
      await run();

      expect(traces).toEqual([expect.objectContaining({ records: 1, files: 1, findings: 1 })]);
    });

    it('refuses options that make no sense', () => {
      const refused: [AuditOptions, string][] = [
        [{ since: new Date('yesterday') }, 'since'],
        [{ since: '2026-01-01' as never }, 'since'],
        [{ concurrency: 0 }, 'concurrency'],
        [{ deep: true, bytes: false }, 'deep'],
      ];
      for (const [options, option] of refused) {
        expect(() => audit.run(options)).toThrow(
          expect.objectContaining({ code: 'FILES_AUDIT_OPTION_INVALID', option }),
        );
      }
    });

    it('refuses to look for bytes with a negative age', () => {
      expect(() => audit.orphans({ olderThan: -1 })).toThrow(
        'FilesAudit option "olderThan": it is -1, and must be a number of milliseconds, 0 or more,',
      );
    });
  });

  describe('since a moment', () => {
    const anHourAgo = () => Date.now() - 3_600_000;

    it('reads the files that were stored, replaced or given away since then', async () => {
      const old = [await create('a'), await create('b'), await create('c'), await create('d')];
      for (const { id } of old) {
        await setFile(id, { createdAt: anHourAgo(), ownerType: 'loan', ownerId: '7' });
        await app.dataSource.query(`UPDATE files_transfer SET at = ${anHourAgo()} WHERE file_id = '${id}'`);
      }
      const since = new Date();
      const replaced = await app.files.replace(old[1]!.id, Buffer.from('new'));
      const loan = await app.dataSource.getRepository(Loan).save({});
      await app.files.transferOwnership(old[2]!.id, { ownerType: 'loan', ownerId: String(loan.id) });
      await deletePast(app.dataSource, Loan, { id: loan.id });
      const made = await app.fileOf('loan', 9);

      const seen = (await run({ since: new Date(since.getTime() - 1_000) })).map(
        (one) => 'fileId' in one && one.fileId,
      );
      expect(seen).toHaveLength(3);
      expect(seen).toEqual(expect.arrayContaining([replaced.id, old[2]!.id, made]));
    });

    it('reads the rows that say they were written since then, and all of classes that do not say it', async () => {
      const stamps = app.dataSource.getRepository(Stamp);
      await stamps.insert([{ id: 'old' }, { id: 'new' }]);
      const ticket = await tickets().save({ title: 'old' });
      for (const id of ['#old', '#new']) await updatePast(app.dataSource, Stamp, { id }, { imageId: randomUUID() });
      await updatePast(app.dataSource, Ticket, { id: ticket.id }, { coverId: randomUUID() });
      const old = {
        postgres: `now() - interval '1 hour'`,
        // MariaDB and MySQL count in local time, and so look an hour further back.
        mariadb: 'NOW(6) - INTERVAL 2 HOUR',
        memory: `datetime('now', '-1 hour')`,
      };
      const { databaseName, entityMetadata } = stamps.metadata.updateDateColumn!;
      const quote = (name: string) => app.dataSource.driver.escape(name);
      await app.dataSource.query(
        `UPDATE ${quote(entityMetadata.tablePath)} SET ${quote(databaseName)} = ${old[database.kind as 'postgres']} WHERE id = '#old'`,
      );

      const seen = (await run({ since: new Date(Date.now() - 60_000) })).map(
        (one) => 'record' in one && one.record.key,
      );
      expect(seen).toHaveLength(2);
      expect(seen).toEqual(expect.arrayContaining([{ id: 'new' }, { id: ticket.id }]));
      expect(await run()).toHaveLength(3);
    });
  });

  /** Lets a file be named in the place of another, which is deleted or released in the same commit. */
  const attach = (ticketId: string, field: 'attachmentId' | 'coverId' | 'imageIds') =>
    app.queue.run(async () => {
      const id = await app.fileOf('ticket', ticketId);
      await tickets().update(ticketId, { [field]: field === 'imageIds' ? [id] : id });
    });

  /**
   * Writes that leave everything in order, each of which would look wrong to who reads one row before it and another
   * after it.
   */
  const changes: [string, () => Promise<() => Promise<void>>][] = [
    [
      'files take the place of others, and records go',
      async () => {
        const fields = ['attachmentId', 'coverId', 'imageIds'] as const;
        let [count, { id }] = [0, await tickets().save({ title: 'a' })];
        for (const field of fields) await attach(id, field);
        return async () => {
          await attach(id, fields[count % 3]!);
          if (++count % 4 !== 0) return;
          await tickets().remove(await tickets().findOneByOrFail({ id }));
          ({ id } = await tickets().save({ title: 'another' }));
        };
      },
    ],
    [
      'a file goes to and fro between two records',
      async () => {
        let [from, to] = await tickets().save([{ title: 'a' }, { title: 'b' }]);
        await attach(from!.id, 'attachmentId');
        const { attachmentId } = await tickets().findOneByOrFail({ id: from!.id });
        return () =>
          app.queue.run(async () => {
            const owner = { ownerType: 'ticket', ownerId: to!.id, force: true, pin: true };
            await app.files.transferOwnership(attachmentId!, owner);
            await tickets().update(from!.id, { attachmentId: null });
            await tickets().update(to!.id, { attachmentId });
            [from, to] = [to, from];
          });
      },
    ],
  ];

  it.each(changes)('finds nothing wrong where %s between any two of its statements', async (_, prepare) => {
    const { query } = EntityManager.prototype;
    const write = await prepare();
    let [count, isWriting] = [0, false];
    EntityManager.prototype.query = async function <T>(this: EntityManager, ...args: [string, unknown[]?]): Promise<T> {
      const result = await query.apply(this, args);
      // SQLite has one connection, and nobody can write while the audit reads as of one moment.
      const isAlone = database.kind === 'memory' && this.queryRunner?.isTransactionActive === true;
      if (!isWriting && !isAlone) {
        isWriting = true;
        await TaskQueue.detach(write).finally(() => (isWriting = false));
        count++;
      }
      return result as T;
    };
    onTestFinished(() => void (EntityManager.prototype.query = query));

    for (let audits = 0; audits < 4; audits++) expect(await run()).toEqual([]);
    expect(count).toBeGreaterThan(40);
  });

  it('finds nothing wrong while others write', async () => {
    let stop = false;
    const write = async (): Promise<number> => {
      let writes = 0;
      for (; !stop; writes++) {
        const { id } = await tickets().save({ title: 'a' });
        for (const field of ['attachmentId', 'imageIds', 'attachmentId', 'imageIds'] as const) await attach(id, field);
        const ticket = await tickets().findOneByOrFail({ id });
        await tickets().update(id, { attachmentId: ticket.imageIds?.[0] ?? null, imageIds: null });
        await tickets().remove(await tickets().findOneByOrFail({ id }));
        const bystander = await create('bytes');
        await app.files.replace(bystander.id, Buffer.from('more bytes'));
        await app.files.move(bystander.id, 'database');
        await app.files.delete(bystander.id);
      }
      return writes;
    };
    const writers = [write(), write(), write()];
    const findings: AuditFinding[] = [];
    for (let audits = 0; audits < 20; audits++) findings.push(...(await run({ deep: audits % 2 === 0 })));
    stop = true;
    await Promise.all(writers);

    expect(findings).toEqual([]);
  });
});
