import { createHash } from 'node:crypto';

/** The text as a literal of SQL. A function's body, too: nothing in it can end it. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The UUID in a text in lower case, for comparing it with a column by its index; null for any other text. */
export function uuidIn(text: string): string {
  return `CASE WHEN ${text} ~ '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ${text}::uuid END`;
}

/** The integer in a text; null for any other text. */
export function integerIn(text: string): string {
  const fits = `${text}::numeric BETWEEN -9223372036854775808 AND 9223372036854775807`;
  return `CASE WHEN ${text} ~ '^-?[0-9]{1,19}$' THEN CASE WHEN ${fits} THEN ${text}::bigint END END`;
}

/** The prefix of the names of a table's functions and triggers. PostgreSQL cuts longer names than 63 bytes off. */
export function guardName(schema: string, table: string): string {
  const readable = table.replaceAll(/\W/g, '_').slice(0, 24);
  const hash = createHash('sha256').update(`${schema}.${table}`).digest('hex').slice(0, 8);
  return `nestjs_files_${readable}_${hash}`;
}
