import { problemText, UNAVAILABLE } from '../../errors/file-problem.js';
import { FilesNotOwnError } from '../../errors/guard.errors.js';
import { ValidationFailedError } from '../../errors/files.errors.js';
import type { FilesError } from '../../errors/files-error.js';
import { queueOf } from '../../task-queue/unit-queue.js';
import type { OpenTransaction } from '../../unit-of-work/unit-of-work.js';
import { ObjectIndex } from '../object-index.js';
import type { TransferRuntime } from '../transfer-runtime.js';
import type { GuardedField } from './guarded-entities.js';
import { textOfJunk } from './named-files.js';
import { isOwner } from './written-row.js';
import type { RecordLedger } from './record-ledger.js';
import type { CurrentRow } from './written-row.js';

/**
 * The files that written rows name and that the transaction has not transferred to them itself. Throws `FilesNotOwnError` where a row names
 * something that cannot be its own file.
 */
export function namedAndNotGiven(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  transaction: OpenTransaction,
): ReadonlySet<string> {
  for (const { entity, written } of ledger.ownerless()) {
    for (const [field, { ids, junk }] of written) {
      const named = [...ids, ...junk.map(textOfJunk)];
      if (named.length > 0)
        throw refusal(runtime, transaction, { entity, ownerId: '(without an owner id)' }, field, named);
    }
  }
  const open = new Set<string>();
  for (const row of ledger.current) {
    for (const [field, { ids, junk }] of row.values) {
      if (junk.length > 0) throw refusal(runtime, transaction, row, field, junk.map(textOfJunk));
      for (const id of ids) if (!isOwner(row.owner, ledger.ownerGiven(id))) open.add(id);
    }
  }
  return open;
}

/**
 * Throws `FilesNotOwnError` where a written row names one of the files that is not its own, or is not there. They are locked, so that nobody
 * takes them before the commit.
 */
export async function assertNamedAreOwn(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  transaction: OpenTransaction,
  open: ReadonlySet<string>,
): Promise<void> {
  const rows = ledger.current;
  const locked = await runtime.statements.lock(transaction.manager, [...open]);
  const owners = new Map(locked.map(({ id, ownerType, ownerId }) => [id, { type: ownerType, id: ownerId }]));
  for (const row of rows) {
    const owner = row.owner;
    for (const [field, { ids }] of row.values) {
      const foreign = ids.filter((id) => open.has(id) && !isOwner(owner, owners.get(id)));
      if (foreign.length > 0) throw refusal(runtime, transaction, row, field, foreign);
    }
  }
}

/** What a client sent is its mistake, in the words of validation; it does not learn whether a foreign file exists. */
function refusal(
  runtime: TransferRuntime,
  { unit }: OpenTransaction,
  { entity, ownerId }: Pick<CurrentRow, 'entity' | 'ownerId'>,
  field: GuardedField,
  values: readonly string[],
): FilesError {
  const error = new FilesNotOwnError(entity.metadata.name, ownerId, field.name, values);
  const sent = new ObjectIndex(queueOf(unit)?.args ?? []);
  const places = values.flatMap((value) => sent.pathsTo(value));
  if (places.length === 0) return error;
  const text = problemText(UNAVAILABLE, runtime.validation.messages);
  const fields = [...new Set(places.map((place) => place.join('.')))];
  const problems = fields.map((name) => ({ field: name, code: UNAVAILABLE.code, message: `${name}: ${text}` }));
  return new ValidationFailedError(
    problems.map(({ message }) => message),
    { cause: error, problems },
  );
}
