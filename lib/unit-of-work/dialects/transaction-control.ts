const LEAD = String.raw`^(?:\s|--[^\n]*\n|/\*[^]*?\*/)*`;

const CONTROL = new RegExp(
  LEAD +
    String.raw`(?:begin|start\s+transaction|commit|end|abort|prepare\s+transaction|xa|set\s+(?:session\s+|@@)?autocommit|` +
    String.raw`rollback(?!\s+(?:work\s+|transaction\s+)?to\b))\b`,
  'i',
);

// https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html
const IMPLICIT_COMMIT = new RegExp(
  LEAD +
    String.raw`(?:(?:alter|create(?:\s+or\s+replace)?|drop)(?!\s+temporary)|rename|truncate|grant|revoke|lock|unlock|flush|reset|` +
    String.raw`(?:optimize|repair|check|analyze)(?:\s+(?:local|no_write_to_binlog))?\s+table|cache\s+index|load\s+index|` +
    String.raw`install|uninstall|set\s+password|(?:start|stop)\s+(?:slave|replica))\b`,
  'i',
);

/** Whether the statement begins or ends a transaction; savepoints do not. */
export function controlsTransaction(sql: string): boolean {
  return CONTROL.test(sql);
}

/** Whether MySQL and MariaDB commit before they run the statement. */
export function commitsImplicitly(sql: string): boolean {
  return IMPLICIT_COMMIT.test(sql);
}

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
