import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource, EntityManager } from 'typeorm';
import type { Actor } from '../../actor/actor.js';
import { uuidV7 } from '../../files/file-id.js';
import { nameStatement } from '../../unit-of-work/dialects/postgres-client.js';
import { ambientOf } from '../../unit-of-work/scopes/here.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import { sendSql } from '../../unit-of-work/typeorm/send-sql.js';
import { witnessHistory } from './history-witness.js';
import { ownershipNames } from './names.js';
import { lastTransferSql, lookSql, recordSql, REFUSED, transferSql } from './postgres-sql.js';
import type { TransferForm } from './postgres-sql.js';
import { isAlike, TransferStatements, stateOf, toSnapshot } from './transfer-statements.js';
import type {
  FileSnapshot,
  HistoryEntry,
  LastTransfer,
  Move,
  TransferOutcome,
  TransferTerms,
  Verdict,
} from './transfer-statements.js';
import type { CommitOutcome, Witness } from '../../unit-of-work/transaction/commit-outcome.js';

// https://www.postgresql.org/docs/current/errcodes-appendix.html: invalid_text_representation
const INVALID_TEXT = '22P02';

/** PostgreSQL: a transfer is one statement. */
export class PostgresStatements extends TransferStatements {
  readonly #transfer: Record<TransferForm, string>;
  readonly #record: string;
  readonly #lookAtOne: string;
  readonly #lookAtMany: string;
  readonly #lookBeforeAtOne: string;
  readonly #lookBeforeAtMany: string;
  readonly #lastTransfer: Record<TransferForm, string>;
  readonly #lock: string;

  constructor(dataSource: DataSource, prepared: boolean) {
    super();
    const names = ownershipNames(dataSource);
    const id = names.file.column('id');
    const text = (sql: string): string => (prepared ? nameStatement(dataSource, sql) : sql);
    const transfer = (form: TransferForm): string => text(transferSql(names, form));
    this.#transfer = { one: transfer('one'), alike: transfer('alike'), many: transfer('many') };
    const last = (form: TransferForm): string => text(lastTransferSql(names, form));
    this.#lastTransfer = { one: last('one'), alike: last('alike'), many: last('many') };
    this.#record = text(recordSql(names));
    this.#lookAtOne = text(lookSql(names, 'one'));
    this.#lookAtMany = text(lookSql(names, 'many'));
    this.#lookBeforeAtOne = text(lookSql(names, 'one', TRANSACTION_ID));
    this.#lookBeforeAtMany = text(lookSql(names, 'many', TRANSACTION_ID));
    // Not FOR UPDATE: an application's row with a foreign key to the file holds a KEY SHARE lock on it, and both would
    // wait.
    this.#lock = text(`${lookSql(names, 'many')} ORDER BY ${id} FOR NO KEY UPDATE`);
  }

  async transfer(manager: EntityManager, moves: readonly Move[], terms: TransferTerms): Promise<TransferOutcome[]> {
    const [first] = moves;
    if (!first) return [];
    const historyIds = moves.map(() => uuidV7());
    const form = formOf(moves, first);
    const { isManager, force, pin } = terms;
    const parameters = [...parametersOf(form, moves, first, historyIds, terms), isManager, force, pin];
    const rows: Record<string, unknown>[] = await sendSql(manager, this.#transfer[form], parameters);
    const found = new Map(rows.map((row) => [row['id'], toOutcome(row)]));
    const outcomes = moves.flatMap(({ fileId }) => found.get(fileId) ?? []);
    const isDone = outcomes.every(({ verdict }) => verdict === 'moved' || verdict === 'kept');
    if (isDone) witnessHistory(manager, historyIds[outcomes.findIndex(({ verdict }) => verdict === 'moved')]);
    return outcomes;
  }

  override lastTransfer(moves: readonly Move[], terms: ClaimTerms): LastTransfer | undefined {
    const [first] = moves;
    if (!first) return undefined;
    const form = formOf(moves, first);
    const historyIds = moves.map(() => uuidV7());
    return { sql: this.#lastTransfer[form], parameters: parametersOf(form, moves, first, historyIds, terms), refused };
  }

  lock(manager: EntityManager, ids: readonly string[]): Promise<FileSnapshot[]> {
    return read(manager, this.#lock, uuids(ids));
  }

  look(manager: EntityManager, ids: readonly string[]): Promise<FileSnapshot[]> {
    const [id] = ids;
    const isOne = ids.length === 1 && id !== undefined;
    return isOne ? read(manager, this.#lookAtOne, id) : read(manager, this.#lookAtMany, uuids(ids));
  }

  /** Also asks for the id of the transaction, if its unit does not know it yet. */
  override lookBefore(manager: EntityManager, ids: readonly string[]): Promise<FileSnapshot[]> {
    const here = ambientOf(dataSourceOf(manager));
    const { transaction } = here?.kind === 'scope' ? here : {};
    if (!transaction || transaction.isJoined || transaction.isIdentified) return this.look(manager, ids);
    const isOne = ids.length === 1;
    const [sql, parameter] = isOne ? [this.#lookBeforeAtOne, ids[0]] : [this.#lookBeforeAtMany, uuids(ids)];
    return sendSql(manager, sql, [parameter]).then((rows: Record<string, unknown>[]) => {
      const [row] = rows;
      if (row) transaction.identify(() => transactionWitness(String(row['transaction'])));
      return rows.map(toSnapshot);
    });
  }

  async record(manager: EntityManager, entries: readonly HistoryEntry[], actor: Actor | null): Promise<void> {
    const ids = entries.map(() => uuidV7());
    await sendSql(manager, this.#record, [
      uuids(ids),
      uuids(entries.map(({ fileId }) => fileId)),
      entries.map(({ action }) => action),
      entries.map(({ from }) => from?.type ?? null),
      entries.map(({ from }) => from?.id ?? null),
      entries.map(({ to }) => to?.type ?? null),
      entries.map(({ to }) => to?.id ?? null),
      entries.map(({ forced }) => forced),
      actor?.type ?? null,
      actor?.id ?? null,
    ]);
    witnessHistory(manager, ids[0]);
  }
}

function formOf(moves: readonly Move[], first: Move): TransferForm {
  if (moves.length === 1) return 'one';
  return moves.every((move) => isAlike(move, first)) ? 'alike' : 'many';
}

type ClaimTerms = Pick<TransferTerms, 'actor' | 'attachPending'>;

/** The parameters that both forms of a transfer have. */
function parametersOf(
  form: TransferForm,
  moves: readonly Move[],
  first: Move,
  historyIds: readonly string[],
  { actor, attachPending = true }: ClaimTerms,
): unknown[] {
  const ofMoves = <K extends keyof Move>(key: K) => (form === 'many' ? moves.map((move) => move[key]) : first[key]);
  return [
    form === 'one' ? first.fileId : uuids(moves.map(({ fileId }) => fileId)),
    ofMoves('toType'),
    ofMoves('toId'),
    ofMoves('field'),
    ofMoves('from'),
    form === 'one' ? historyIds[0] : uuids(historyIds),
    actor?.type ?? null,
    actor?.id ?? null,
    ofMoves('seen'),
    attachPending,
  ];
}

/** The message quotes the text that could not be read as a number, in the language of the server. */
function refused(error: unknown): TransferOutcome[] | undefined {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  const text = typeof message === 'string' && code === INVALID_TEXT ? message : '';
  const from = text.indexOf(REFUSED);
  if (from < 0) return undefined;
  const rows = JSON.parse(text.slice(from + REFUSED.length, text.lastIndexOf(']') + 1)) as Record<string, unknown>[];
  return rows.map(toOutcome);
}

async function read(manager: EntityManager, sql: string, ids: string): Promise<FileSnapshot[]> {
  const rows: Record<string, unknown>[] = await sendSql(manager, sql, [ids]);
  return rows.map(toSnapshot);
}

/**
 * An array of UUIDs as PostgreSQL reads it. The driver would quote each of them, which takes longer than the rest of
 * the call.
 */
function uuids(ids: readonly string[]): string {
  return `{${ids.join(',')}}`;
}

function toOutcome(row: Record<string, unknown>): TransferOutcome {
  const before = stateOf({
    ownerType: row['fromType'] as string | null,
    ownerId: row['fromId'] as string | null,
    pinned: row['pinned'] === true,
  });
  return { fileId: String(row['id']), verdict: row['verdict'] as Verdict, before };
}

/** Selects PostgreSQL's id of the transaction. It is text, because it has 64 bits. */
const TRANSACTION_ID = ', (SELECT txid_current())::text AS "transaction"';

// https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
const STATUS = 'SELECT txid_status($1::bigint) AS status';
// `backend_xid` has the lower 32 bits.
// https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
const TERMINATE = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE backend_xid::text = ($1::bigint % 4294967296)::text AND pid <> pg_backend_pid()`;

/** How long a transaction may take to come to its end when its client has gone, in milliseconds; then it is ended. */
const PATIENCE = 250;

/**
 * Asks PostgreSQL for the outcome of the transaction. An open one may be waiting for a lock, with its COMMIT behind: it
 * is terminated, so that it cannot commit after it was reported as rolled back.
 */
function transactionWitness(id: string): Witness {
  return async (manager) => {
    const patientUntil = performance.now() + PATIENCE;
    for (let wait = 5; ; wait = Math.min(wait * 2, 100)) {
      const [row] = await manager.query<{ status: string | null }[]>(STATUS, [id]);
      const outcome = OUTCOMES[row?.status ?? ''];
      if (outcome !== 'in progress') return outcome;
      if (performance.now() > patientUntil) await manager.query(TERMINATE, [id]);
      await delay(wait);
    }
  };
}

const OUTCOMES: Record<string, CommitOutcome | 'in progress' | undefined> = {
  committed: 'committed',
  aborted: 'rolled back',
  'in progress': 'in progress',
};
