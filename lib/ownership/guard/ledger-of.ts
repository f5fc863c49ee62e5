import type { EntityManager } from 'typeorm';
import type { OpenTransaction } from '../../unit-of-work/unit-of-work.js';
import type { TransferRuntime } from '../transfer-runtime.js';
import { transactionOf } from './find-ledger.js';
import { RecordLedger } from './record-ledger.js';
import { settleRecords } from './settle-records.js';

/** The ledger of the entity manager's transaction, which is settled before the COMMIT. */
export function ledgerOf(runtime: TransferRuntime, manager: EntityManager): RecordLedger {
  return ledgerIn(runtime, transactionOf(manager));
}

/** The ledger of the transaction, which is settled before the COMMIT. */
export function ledgerIn(runtime: TransferRuntime, transaction: OpenTransaction): RecordLedger {
  return RecordLedger.of(transaction, (ledger) => settleRecords(runtime, ledger, transaction));
}
