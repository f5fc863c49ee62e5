import type { EntityManager } from 'typeorm';
import { openTransaction } from '../../unit-of-work/unit-of-work.js';
import type { OpenTransaction } from '../../unit-of-work/unit-of-work.js';
import { RecordLedger } from './record-ledger.js';

/** The ledger, if anything was noted in the transaction. */
export function findLedger(manager: EntityManager): RecordLedger | undefined {
  return manager.queryRunner?.isTransactionActive ? RecordLedger.find(transactionOf(manager)) : undefined;
}

/** The transaction that the entity manager is in. */
export function transactionOf({ queryRunner }: EntityManager): OpenTransaction {
  if (!queryRunner) throw new TypeError('The entity manager is in no transaction');
  return openTransaction(queryRunner);
}
