import type { EntityManager } from 'typeorm';
import { deleteFileRows } from '../files/delete-file-rows.js';
import { latestFiles } from '../files/lock-files.js';
import { ManagedFile } from '../files/managed-file.entity.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import type { TransferAction } from '../files/ownership-port.js';
import { inChunks } from '../unit-of-work/typeorm/send-sql.js';
import type { FileSnapshot } from './statements/transfer-statements.js';
import { findLedger } from './guard/record-ledger.js';
import type { OwnerRemovalPolicy } from './owns-files.decorator.js';
import type { UsageChange } from './quotas/quotas.js';
import type { TransferRuntime } from './transfer-runtime.js';
import { ownerOf } from '../files/owner-reference.js';

const IDS_PER_STATEMENT = 10_000;

/** Files that the caller has locked. */
type LockedFiles = readonly FileSnapshot[];

/** The policies that change files whose owner lets go of them. */
export type LettingGo = Exclude<OwnerRemovalPolicy, 'keep' | 'restrict'>;

/** Files that the caller has locked, by the policy for them. */
export type FilesToLetGo = Record<LettingGo, FileSnapshot[]>;

/** An empty list for each policy. */
export function noFilesToLetGo(): FilesToLetGo {
  return { release: [], delete: [] };
}

/** Applies each policy to its files: their rows, their history, the ledger, and the quotas of their owners. */
export async function applyPolicies(runtime: TransferRuntime, unit: UnitOfWork, files: FilesToLetGo): Promise<void> {
  for (const policy of POLICIES)
    await runtime.quotas.charge(unit.manager, await DEALINGS[policy](runtime, unit, files[policy]));
}

/** As `applyPolicies()`, but leaves the quotas to the caller, who charges the changes together with others. */
export async function applyUncharged(
  runtime: TransferRuntime,
  unit: UnitOfWork,
  files: FilesToLetGo,
): Promise<UsageChange[]> {
  const changes: UsageChange[] = [];
  for (const policy of POLICIES) changes.push(...(await DEALINGS[policy](runtime, unit, files[policy])));
  return changes;
}

/** Returns what the quotas have to be charged with. */
type Dealing = (runtime: TransferRuntime, unit: UnitOfWork, files: LockedFiles) => Promise<UsageChange[]>;

const DEALINGS: Record<LettingGo, Dealing> = {
  release: (runtime, { manager }, files) => releaseFiles(runtime, manager, files),
  delete: (runtime, unit, files) => deleteFiles(runtime, unit, files, 'delete'),
};

const POLICIES = Object.keys(DEALINGS) as LettingGo[];

/**
 * Removes the owner of the files, and unpins them: the pin belonged to the owner. Returns what the quotas have to be
 * charged with.
 */
export async function releaseFiles(
  runtime: TransferRuntime,
  manager: EntityManager,
  files: LockedFiles,
): Promise<UsageChange[]> {
  if (files.length === 0) return [];
  const nobody = { ownerType: null, ownerId: null, ownerField: null, pinned: false, expiresAt: null };
  for (const ids of idsOf(files)) await manager.update(ManagedFile, ids, nobody);
  return record(runtime, manager, files, 'release');
}

/**
 * Deletes the files: their rows in this unit, their bytes after it. `action` is the one for their history. Returns what
 * the quotas have to be charged with.
 */
export async function deleteFiles(
  runtime: TransferRuntime,
  unit: UnitOfWork,
  files: LockedFiles,
  action: TransferAction & ('delete' | 'expire'),
): Promise<UsageChange[]> {
  if (files.length === 0) return [];
  for (const ids of idsOf(files)) await runtime.derived?.remove(unit, await runtime.derived.lockOf(unit.manager, ids));
  const rows: Pick<ManagedFile, 'storage' | 'location'>[] = [];
  const select = { id: true, storage: true, location: true };
  // A file may have been moved after the snapshot of the unit.
  for (const ids of idsOf(files)) rows.push(...(await latestFiles(unit.manager, ids, select)));
  await runtime.content.remove(unit, rows);
  await deleteFileRows(
    unit.manager,
    files.map(({ id }) => id),
  );
  return record(runtime, unit.manager, files, action);
}

async function record(
  runtime: TransferRuntime,
  manager: EntityManager,
  files: LockedFiles,
  action: TransferAction,
): Promise<UsageChange[]> {
  const ledger = findLedger(manager);
  for (const { id } of files) ledger?.files.dropped(id);
  const { actor } = await runtime.actor();
  const entries = files.map((file) => ({ fileId: file.id, action, from: ownerOf(file), to: null, forced: false }));
  await runtime.statements.record(manager, entries, actor);
  return files.map((file) => ({ owner: ownerOf(file), bytes: -file.size, count: -1 }));
}

/** Their ids, so many as a statement takes. */
function idsOf(files: LockedFiles): Iterable<string[]> {
  return inChunks(
    files.map(({ id }) => id),
    IDS_PER_STATEMENT,
  );
}
