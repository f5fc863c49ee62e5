import type { EntityManager } from 'typeorm';
import { show } from '../files/search/show.js';
import type { GuardedField, NamedFiles } from '../ownership/guard/guarded-entities.js';
import type { FileSnapshot } from '../ownership/statements/transfer-statements.js';
import type { AuditFinding, AuditedRecord } from './audit-finding.js';
import { advance } from './audit-scope.js';
import type { AuditScope } from './audit-scope.js';
import { changedSince } from './changed-since.js';
import { auditedTables } from './audited-tables.js';
import type { AuditedTable } from './audited-tables.js';
import { nextRows, ROWS_PER_PAGE, rowsAt } from './record-pages.js';
import type { AuditedRow, Position } from './record-pages.js';
import { ownerOf } from '../files/owner-reference.js';

const IDS_PER_STATEMENT = 5_000;
const MAX_TEXT = 200;

/** Goes through the rows of all guarded classes: whether they name only their own files. Yields what each page has. */
export async function* auditRecords(scope: AuditScope): AsyncGenerator<AuditFinding[], void> {
  for (const table of auditedTables(scope.dataSource)) {
    let after: Position | undefined;
    for (let isLast = false; !isLast;) {
      scope.signal?.throwIfAborted();
      const rows = await scope.reads.now((manager) => {
        return nextRows(manager, table, after, changedSince(scope.dataSource, table.root.metadata, scope.since));
      });
      yield await findingsOf(scope, table, rows);
      advance(scope, 'records', rows.length);
      after = rows.at(-1)?.position;
      isLast = rows.length < ROWS_PER_PAGE;
    }
  }
}

/** Rows and files were read one after the other: suspects are read again, both as of one moment. */
async function findingsOf(
  scope: AuditScope,
  table: AuditedTable,
  rows: readonly AuditedRow[],
): Promise<AuditFinding[]> {
  const judged = await scope.reads.now((manager) => judgeRows(scope, manager, rows));
  const suspects = judged.flatMap(({ row, findings }) => (findings.length > 0 ? [row.position] : []));
  if (suspects.length === 0) return [];
  return scope.reads.atOnce(async (manager) => {
    const settled = await judgeRows(scope, manager, await rowsAt(manager, table, suspects));
    return settled.flatMap(({ findings }) => findings);
  });
}

interface Judged {
  readonly row: AuditedRow;
  readonly findings: AuditFinding[];
}

async function judgeRows(scope: AuditScope, manager: EntityManager, rows: readonly AuditedRow[]): Promise<Judged[]> {
  const judged: Judged[] = [];
  for (const some of byNumberOfIds(rows)) {
    const ids = new Set(some.flatMap(({ values }) => [...values.values()].flatMap((named) => named.ids)));
    const files = ids.size === 0 ? [] : await scope.statements.look(manager, [...ids]);
    const byId = new Map(files.map((file) => [file.id, file]));
    for (const row of some) judged.push({ row, findings: judge(row, byId) });
  }
  return judged;
}

/** The rows in parts that name no more files than one statement takes, as far as no single row does. */
function* byNumberOfIds(rows: readonly AuditedRow[]): Generator<AuditedRow[]> {
  let part: AuditedRow[] = [];
  let count = 0;
  for (const row of rows) {
    let own = 0;
    for (const { ids } of row.values.values()) own += ids.length;
    if (count + own > IDS_PER_STATEMENT && part.length > 0) {
      yield part;
      part = [];
      count = 0;
    }
    part.push(row);
    count += own;
  }
  if (part.length > 0) yield part;
}

function judge(row: AuditedRow, files: ReadonlyMap<string, FileSnapshot>): AuditFinding[] {
  const findings: AuditFinding[] = [];
  for (const [field, named] of row.values) findings.push(...judgeField(row, field, named, files));
  return findings;
}

function judgeField(
  row: AuditedRow,
  { name: field }: GuardedField,
  { ids, junk }: NamedFiles,
  files: ReadonlyMap<string, FileSnapshot>,
): AuditFinding[] {
  const { entity, ownerId } = row;
  const found: AuditFinding[] = junk.map((value) => {
    return { kind: 'invalid-id', record: recordOf(row), field, value: textOf(value) };
  });
  for (const fileId of ids) {
    const file = files.get(fileId);
    if (!file) found.push({ kind: 'missing-file', record: recordOf(row), field, fileId });
    else if (file.ownerType !== entity.ownerType || file.ownerId !== ownerId)
      found.push({ kind: 'foreign-file', record: recordOf(row), field, fileId, owner: ownerOf(file) });
  }
  return found;
}

function recordOf({ entity, key, ownerId }: AuditedRow): AuditedRecord {
  const owner = ownerId === undefined ? null : { type: entity.ownerType, id: ownerId };
  return { entity: entity.metadata.name, key, owner };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MAX_TEXT) : show(value);
}
