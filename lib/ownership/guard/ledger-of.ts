import type { EntityManager } from 'typeorm';
import { openTransaction } from '../../unit-of-work/open-transaction.js';
import type { OpenTransaction } from '../../unit-of-work/open-transaction.js';
import type { TransferRuntime } from '../transfer-runtime.js';
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

/** The ledger, if anything was noted in the transaction. */
export function findLedger(manager: EntityManager): RecordLedger | undefined {
  return manager.queryRunner?.isTransactionActive ? RecordLedger.find(transactionOf(manager)) : undefined;
}

/** The transaction that the entity manager is in. */
export function transactionOf({ queryRunner }: EntityManager): OpenTransaction {
  if (!queryRunner) throw new TypeError('The entity manager is in no transaction');
  return openTransaction(queryRunner);
}
