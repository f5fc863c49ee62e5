import type { OpenTransaction } from '../../unit-of-work/unit-of-work.js';
import type { TransferRuntime } from '../transfer-runtime.js';
import { assertNamedAreOwn, namedAndNotGiven } from './assert-named-are-own.js';
import { assertNotInUse } from './assert-not-in-use.js';
import { followRecords } from './follow-records.js';
import { letRecordsGo } from './let-records-go.js';
import type { RecordLedger } from './record-ledger.js';
import { dealWithRemoved } from './removed-records.js';

/**
 * Settles what a transaction did to records. Files follow their records; the policies are applied to the files that records no longer name and
 * to those of removed records. Then it throws unless every written row names only its own files and no file was taken from a row that names it.
 */
export async function settleRecords(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  transaction: OpenTransaction,
): Promise<void> {
  const { manager } = transaction;
  // A unit of work fails if it ends before its writes do; an application's transaction does not.
  if (ledger.isWriting && !transaction.unit) await ledger.written();
  // Reading may show that nobody can say what has become of a row; it notes that as a refusal, which the next line throws.
  if (ledger.isUnsure) await ledger.read(manager);
  ledger.assertNotRefused();
  if (!ledger.onlyGivesValues) {
    await followRecords(runtime, ledger, manager);
    await letRecordsGo(runtime, ledger, transaction);
    await dealWithRemoved(runtime, ledger, transaction);
  }
  if (ledger.isUnsure) await ledger.read(manager);
  const open = namedAndNotGiven(runtime, ledger, transaction);
  if (open.size > 0) await assertNamedAreOwn(runtime, ledger, transaction, open);
  if (ledger.takenFiles.size > 0) await assertNotInUse(runtime, ledger, transaction);
}
