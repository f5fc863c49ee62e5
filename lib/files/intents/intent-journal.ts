import { Inject, Injectable, Optional } from '@nestjs/common';
import { In, IsNull } from 'typeorm';
import type { DataSource, EntityManager, Repository, SelectQueryBuilder } from 'typeorm';
import { IntentLostError } from '../../errors/files.errors.js';
import { LocationPendingError } from '../../errors/storage.errors.js';
import type { Storage } from '../../storage/storage.js';
import { isInTransaction } from '../../unit-of-work/scopes/here.js';
import type { CommitOutcome } from '../../unit-of-work/transaction/commit-outcome.js';
import { seesEveryCommit } from '../../unit-of-work/scopes/sees-every-commit.js';
import { sharesConnection } from '../../unit-of-work/one-connection/shared-connection.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.js';
import { FILES_CLOCK } from '../clock.js';
import type { Clock } from '../clock.js';
import { FileIntent } from './file-intent.entity.js';
import type { IntentKind } from './file-intent.entity.js';
import type { Intent } from './intent.js';
import { IntentConnection } from './intent-connection.js';
import { insertRows } from '../insert-row.js';
import { Together } from '../together.js';
import { locationKey } from '../../storage/location-key.js';
import { leaveMarker } from './marker-intent.js';
import { uuidV7 } from '../file-id.js';
import { dialectOf } from '../../unit-of-work/dialects/dialect-of.js';
import { lockRows, lockShared } from '../../unit-of-work/typeorm/row-locks.js';
import { inChunks } from '../../unit-of-work/typeorm/send-sql.js';

/** The place of a file's bytes. */
interface StoredAt {
  storage: Storage;
  location: string;
}

// A row has eight parameters. The lowest limit of the databases is 32766 parameters.
const ROWS_PER_STATEMENT = 1000;
const IDS_PER_STATEMENT = 10_000;

/**
 * Writes intents. An intent is a committed note about bytes without a committed file row: the row is not committed yet,
 * or it was removed. With an intent, the sweeper can remove the bytes after a crash or a rollback.
 */
@Injectable()
export class IntentJournal {
  readonly #connection: IntentConnection;
  readonly #together = new Together<FileIntent, Intent>(ROWS_PER_STATEMENT, (rows) =>
    this.#insert(this.transactor.dataSource, rows),
  );

  constructor(
    private readonly transactor: Transactor,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {
    this.#connection = new IntentConnection(transactor.dataSource);
  }

  /**
   * Notes that bytes will be written to the location. When this resolves, the note is durable, even if the caller is in
   * a transaction. The note is a committed row. For a caller in a transaction on SQLite or a shared connection, it is a
   * marker: a small object in the storage that contains the location.
   */
  async announce(storage: Storage, location: string): Promise<Intent> {
    // The row is made once: if the reply to the first insert is lost, a second one must not note the same bytes twice.
    if (!isInTransaction(this.transactor.dataSource)) return this.#together.do(this.#make('create', storage, location));
    const [intent] = await this.announceAll([{ storage, location }]);
    return intent as Intent;
  }

  /**
   * As `announce`, for several places. One statement writes up to a thousand rows; markers are written one by one.
   * Returns the intents in the order of the places.
   */
  async announceAll(places: readonly StoredAt[]): Promise<Intent[]> {
    const { dataSource } = this.transactor;
    if (!isInTransaction(dataSource)) return this.#record(dataSource, places);
    if (!dialectOf(dataSource).hasOneWriter && !sharesConnection(dataSource))
      return this.#record(await this.#connection.open(), places);
    const markers: Intent[] = [];
    for (const { storage, location } of places) markers.push(await leaveMarker(storage, location));
    return markers;
  }

  /**
   * Notes in the caller's transaction that the bytes will be removed. After their removal, call `drop()` with the
   * returned ids.
   */
  async announceRemovals(manager: EntityManager, places: readonly StoredAt[]): Promise<(StoredAt & { id: string })[]> {
    const removals = places.map(({ storage, location }) => {
      const intent = this.#make('delete', storage, location);
      return { id: intent.id, storage, location, intent };
    });
    const rows = removals.map(({ intent }) => intent);
    for (const chunk of inChunks(rows, ROWS_PER_STATEMENT)) await insertRows(manager, FileIntent, chunk);
    return removals;
  }

  /** Deletes the intents of removed bytes. */
  async drop(ids: readonly string[]): Promise<void> {
    const intents = this.transactor.dataSource.getRepository(FileIntent);
    for (const chunk of inChunks(ids, IDS_PER_STATEMENT)) await intents.delete(chunk);
  }

  /** Deletes intents of bytes that were not written, beside the caller's transaction. */
  async withdraw(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const { dataSource } = this.transactor;
    const through = isInTransaction(dataSource) ? await this.#connection.open() : dataSource;
    for (const chunk of inChunks(ids, IDS_PER_STATEMENT)) await through.getRepository(FileIntent).delete(chunk);
  }

  /**
   * Throws `LocationPendingError` if a write or removal of bytes at one of the locations is pending. One statement for
   * each storage.
   */
  async assertNonePending(manager: EntityManager, places: readonly StoredAt[]): Promise<void> {
    for (const storage of new Set(places.map((place) => place.storage.name))) {
      const keys = places.filter((place) => place.storage.name === storage).map((place) => locationKey(place.location));
      for (const chunk of inChunks(keys, IDS_PER_STATEMENT)) {
        const query = (through: EntityManager) =>
          through
            .createQueryBuilder(FileIntent, 'intent')
            .select('intent.location', 'location')
            .where({ storage, locationKey: In(chunk) });
        const [own] = await lockShared<{ location: string }>(manager, query(manager));
        const pending = own ?? (await this.#unseen(query));
        if (pending) throw new LocationPendingError(storage, pending.location);
      }
    }
  }

  /** The first row that the query finds beside the caller's transaction, if the snapshot of that may hide it. */
  async #unseen(
    query: (through: EntityManager) => SelectQueryBuilder<FileIntent>,
  ): Promise<{ location: string } | undefined> {
    const { dataSource } = this.transactor;
    if (seesEveryCommit(dataSource) || dialectOf(dataSource).locksLatest) return undefined;
    return query(await this.beside()).getRawOne<{ location: string }>();
  }

  /**
   * Reads intents and files outside of the caller's transaction: what others have committed, and none of its own
   * changes.
   */
  async beside(): Promise<EntityManager> {
    return (await this.#connection.open()).manager;
  }

  /**
   * Settles all of the intents, like `Intent.settle()`. If the unit sees rows that were committed after it began, the
   * rows are deleted together. Otherwise the intents are settled one by one.
   */
  async settleAll(unit: UnitOfWork, intents: readonly Intent[]): Promise<void> {
    const rows = intents.flatMap(({ row }) => row ?? []);
    const areTogether = rows.length > 1 && seesEveryCommit(this.transactor.dataSource);
    for (const intent of intents) if (!areTogether || intent.row === undefined) await intent.settle(unit);
    for (const chunk of inChunks(areTogether ? rows : [], ROWS_PER_STATEMENT)) {
      const ids = chunk.map(({ id }) => id);
      const { affected } = await unit.manager.delete(FileIntent, { id: In(ids), leaseOwner: IsNull() });
      if (affected === chunk.length) {
        const [{ id }] = chunk as [(typeof chunk)[number]];
        unit.addWitness((manager) => isSettled(manager, id));
        continue;
      }
      const leased = await unit.manager.findOneBy(FileIntent, { id: In(ids) });
      const { storage = '', location = '' } = leased ?? chunk[0] ?? {};
      throw new IntentLostError(storage, location);
    }
  }

  /** For when no unit of work begins any more. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  #record(through: DataSource, places: readonly StoredAt[]): Promise<Intent[]> {
    const rows = places.map(({ storage, location }) => this.#make('create', storage, location));
    return this.#insert(through, rows);
  }

  async #insert(through: DataSource, rows: readonly FileIntent[]): Promise<Intent[]> {
    const intents = through.getRepository(FileIntent);
    for (const chunk of inChunks(rows, ROWS_PER_STATEMENT)) await insertRows(through.manager, FileIntent, chunk);
    return rows.map((one) => this.#recorded(intents, one));
  }

  #recorded(intents: Repository<FileIntent>, { id, storage, location }: FileIntent): Intent {
    const withdraw = async () => void (await intents.delete({ id }));
    const unleased = { id, leaseOwner: IsNull() };
    return {
      row: { id, storage, location },
      withdraw,
      settle: async (unit) => {
        if (seesEveryCommit(this.transactor.dataSource)) {
          // No sweeper has leased the intent. The deletion locks its row, so no sweeper can lease it before the commit.
          if ((await unit.manager.delete(FileIntent, unleased)).affected === 1) {
            unit.addWitness((manager) => isSettled(manager, id));
            return;
          }
        } else {
          // The unit's snapshot may be older than the intent. Then the unit cannot delete the intent, so it is deleted
          // after the commit. Its grace period starts again here, so that no sweeper leases it while the unit is open.
          const renewed = await intents.update(unleased, { createdAt: new Date(this.now()) });
          unit.afterCommit(withdraw);
          if (renewed.affected === 1) return;
        }
        throw new IntentLostError(storage, location);
      },
    };
  }

  #make(kind: IntentKind, { name: storage }: Storage, location: string): FileIntent {
    const createdAt = new Date(this.now());
    const intent = { id: uuidV7(), storage, location, locationKey: locationKey(location), kind, createdAt };
    return Object.assign(new FileIntent(), intent, { leaseOwner: null, leaseUntil: null });
  }
}

/** Waits until the unit that deleted the intent has ended. If the row still exists, the unit was rolled back. */
async function isSettled(manager: EntityManager, id: string): Promise<CommitOutcome> {
  const query = manager.createQueryBuilder(FileIntent, 'intent').where({ id });
  return (await lockRows(query).getOne()) ? 'rolled back' : 'committed';
}
