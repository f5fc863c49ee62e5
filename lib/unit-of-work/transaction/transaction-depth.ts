import type { QueryRunner } from 'typeorm';

// TypeORM counts a transaction and its savepoints in a protected field, and names the savepoints by it.
interface Counting {
  transactionDepth: number;
}

/** 0 outside of a transaction, 1 in one, one more for each savepoint. */
export function depthOf(runner: QueryRunner): number {
  return (runner as unknown as Counting).transactionDepth;
}

export function setDepth(runner: QueryRunner, depth: number): void {
  (runner as unknown as Counting).transactionDepth = depth;
}
