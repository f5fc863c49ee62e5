import { setTimeout as delay } from 'node:timers/promises';
import type { CommitOutcome, Witness } from '../../unit-of-work/transaction/commit-outcome.js';

/** Selects what PostgreSQL knows the transaction by. It is text, because it has 64 bits. */
export const TRANSACTION_ID = ', (SELECT txid_current())::text AS "transaction"';

// https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
const STATUS = 'SELECT txid_status($1::bigint) AS status';
// `backend_xid` has the lower 32 bits. https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
const TERMINATE = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE backend_xid::text = ($1::bigint % 4294967296)::text AND pid <> pg_backend_pid()`;

/** How long a transaction may take to come to its end when its client has gone, in milliseconds; then it is ended. */
const PATIENCE = 250;

/**
 * Asks PostgreSQL what became of the transaction. A transaction that goes on may be waiting for a lock, with its COMMIT behind: it is
 * terminated, so that it cannot commit after it was reported as rolled back.
 */
export function transactionWitness(id: string): Witness {
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
