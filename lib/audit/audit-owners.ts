import type { EntityManager } from 'typeorm';
import { FILE_OWNER } from '../files/owner-reference.js';
import type { GuardedEntity } from '../ownership/guard/guarded-entities.js';
import type { AuditFinding, UnnamedFileFinding } from './audit-finding.js';
import type { AuditScope } from './audit-scope.js';
import { filesById } from './file-pages.js';
import type { AuditedFile } from './file-pages.js';
import { existingOwners, isFoundByFile, rowsNaming, rowsOfOwners } from './owner-rows.js';
import { ownerTypes } from './owner-types.js';
import type { OwnerType } from './owner-types.js';
import type { AuditedRow } from './record-pages.js';
import { dataSourceOf } from '../unit-of-work/typeorm/data-source.js';

/** A file that has an owner. */
interface OwnedFile extends AuditedFile {
  readonly ownerType: string;
  readonly ownerId: string;
}

/** Finds the files of a page whose owner does not exist, and the pinned files that their owner does not name. */
export async function auditOwners(
  scope: AuditScope,
  types: ReadonlyMap<string, OwnerType>,
  files: readonly AuditedFile[],
): Promise<AuditFinding[]> {
  const suspects = await scope.reads.now((manager) => judgeFiles(manager, types, files, false));
  if (suspects.length === 0) return [];
  // Files and rows were read one after the other: suspects are read again, as of one moment.
  return scope.reads.atOnce(async (manager) => {
    const ids = suspects.map(({ fileId }) => fileId);
    return judgeFiles(manager, types, await filesById(manager, ids), true);
  });
}

/** Which of the findings the caller's transaction still finds, of the same owner. */
export async function stillUnnamed(
  manager: EntityManager,
  findings: readonly UnnamedFileFinding[],
): Promise<UnnamedFileFinding[]> {
  const files = await filesById(
    manager,
    findings.map(({ fileId }) => fileId),
  );
  const now = await judgeFiles(manager, ownerTypes(dataSourceOf(manager)), files, true);
  const owners = new Map(now.map((one) => [one.fileId, one.kind === 'unnamed-file' ? one.owner : undefined]));
  return findings.filter(({ fileId, owner }) => {
    const current = owners.get(fileId);
    return current?.type === owner.type && current.id === owner.id;
  });
}

type Finding = AuditFinding & { readonly fileId: string };

/** Without `exact`, the result may also report an owner as missing that exists but does not name the file. */
async function judgeFiles(
  manager: EntityManager,
  types: ReadonlyMap<string, OwnerType>,
  files: readonly AuditedFile[],
  exact: boolean,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  findings.push(...(await judgeDerived(manager, files)));
  for (const type of types.values()) {
    const owned = files.filter((file): file is OwnedFile => file.ownerType === type.type);
    if (owned.length > 0) findings.push(...(await judgeOfType(manager, type, owned, exact)));
  }
  return findings;
}

/** Finds the derived files whose original does not exist. */
async function judgeDerived(manager: EntityManager, files: readonly AuditedFile[]): Promise<Finding[]> {
  const owned = files.filter((file): file is OwnedFile => file.ownerType === FILE_OWNER);
  if (owned.length === 0) return [];
  const originals = new Set((await filesById(manager, ownersOf(owned))).map(({ id }) => id));
  return owned
    .filter(({ ownerId }) => !originals.has(ownerId))
    .map(({ id: fileId, ownerId: id, pinned }) => ({
      kind: 'owner-gone',
      fileId,
      owner: { type: FILE_OWNER, id },
      pinned,
    }));
}

async function judgeOfType(
  manager: EntityManager,
  type: OwnerType,
  files: readonly OwnedFile[],
  exact: boolean,
): Promise<Finding[]> {
  const known = new Set<string>();
  const unnamed = new Map(files.map((file) => [file.id, file]));
  for (const entity of type.guarded) {
    if (unnamed.size === 0) break;
    for await (const row of rowsFor(manager, entity, [...unnamed.values()], exact)) {
      known.add(row.ownerId ?? '');
      for (const { ids } of row.values.values()) {
        for (const id of ids) if (unnamed.get(id)?.ownerId === row.ownerId) unnamed.delete(id);
      }
    }
  }
  const open = [...unnamed.values()];
  const others = open.length === 0 ? new Set() : await existingOwners(manager, type.others, ownersOf(open));
  return open.flatMap((file) => (others.has(file.ownerId) ? [] : judge(file, type, known.has(file.ownerId))));
}

function rowsFor(
  manager: EntityManager,
  entity: GuardedEntity,
  files: readonly OwnedFile[],
  exact: boolean,
): AsyncIterable<AuditedRow> {
  // If an owner may have many rows, the owner id may have no index. The column of file ids has one.
  if (!exact && !entity.isOneRow && isFoundByFile(entity)) {
    return rowsNaming(
      manager,
      entity,
      files.map(({ id }) => id),
    );
  }
  return rowsOfOwners(manager, entity, ownersOf(files));
}

function judge(file: OwnedFile, { type, mayKeep }: OwnerType, isThere: boolean): Finding[] {
  const { id: fileId, ownerId: id, pinned } = file;
  const owner = { type, id };
  if (!isThere) return [{ kind: 'owner-gone', fileId, owner, pinned }];
  return pinned ? [{ kind: 'unnamed-file', fileId, owner, mayBeKept: mayKeep }] : [];
}

function ownersOf(files: readonly OwnedFile[]): string[] {
  return [...new Set(files.map(({ ownerId }) => ownerId))];
}
