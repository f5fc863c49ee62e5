import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { databaseFault } from './database-fault.js';

/** The outcome of a COMMIT whose reply was lost. */
export type CommitOutcome = 'committed' | 'rolled back';

/**
 * Tells, by the rows that a unit wrote or removed, whether it was committed; undefined if it cannot. It has to wait for
 * the unit's transaction, which may still be open on the server. Called in another transaction, READ COMMITTED, that is
 * always rolled back.
 */
export type Witness = (manager: EntityManager) => Promise<CommitOutcome | undefined>;

/** Runs the work in a new transaction, for at most `timeout` milliseconds. */
type InTransaction = (work: (manager: EntityManager) => Promise<never>, timeout: number) => Promise<never>;

const PATIENCE = 5_000;
const LONGEST_WAIT = 500;

const logger = new Logger('UnitOfWork');

class Answer {
  constructor(readonly outcome: CommitOutcome | undefined) {}
}

/**
 * Asks the witnesses, if the database can be reached within some seconds, or the unit's own time if that is shorter;
 * undefined if the outcome stays unknown. Never throws.
 */
export async function commitOutcome(
  witnesses: readonly Witness[],
  timeout: number,
  inTransaction: InTransaction,
): Promise<CommitOutcome | undefined> {
  if (witnesses.length === 0) return undefined;
  const deadline = performance.now() + Math.min(timeout, PATIENCE);
  for (let wait = 10; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
    try {
      // It ends by throwing, so that rows of a witness are rolled back.
      await inTransaction(async (manager) => {
        throw new Answer(await firstAnswer(witnesses, manager));
      }, deadline - performance.now());
    } catch (thrown) {
      if (thrown instanceof Answer) return thrown.outcome;
      const isGone = ['lost', 'too-many-connections'].includes(databaseFault(thrown));
      if (isGone && performance.now() + wait < deadline) await delay(wait);
      else {
        logger.warn(`What became of a COMMIT could not be found out: ${String(thrown)}`);
        return undefined;
      }
    }
  }
}

async function firstAnswer(witnesses: readonly Witness[], manager: EntityManager): Promise<CommitOutcome | undefined> {
  for (const witness of witnesses) {
    const outcome = await witness(manager);
    if (outcome) return outcome;
  }
  return undefined;
}
