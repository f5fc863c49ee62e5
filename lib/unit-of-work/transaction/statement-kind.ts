const READS = /^\s*(select|show|explain|pragma)\b/i;
const ROLLS_BACK = /\brollback\b/i;

/** Whether the statement leaves the rows as they are. */
export function isRead(sql: string): boolean {
  return READS.test(sql);
}

/** Whether the statement may undo others: one that ends the transaction is refused, so it goes back to a savepoint. */
export function rollsBack(sql: string): boolean {
  return ROLLS_BACK.test(sql);
}
