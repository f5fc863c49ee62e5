import type { EntityManager } from 'typeorm';
import { In } from 'typeorm';
import { lockFiles } from '../files/lock-files.js';
import { ManagedFile } from '../files/managed-file.entity.js';
import { unscannedBy } from '../files/scan/scan-state.js';
import type { FileScanner } from '../storage/file-scanner.js';
import { inChunks } from '../unit-of-work/typeorm/send-sql.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import { transactionOf } from './guard/record-ledger.js';
import type { Move, TransferOutcome, TransferTerms } from './statements/transfer-statements.js';
import type { TransferRuntime } from './transfer-runtime.js';

const FILES_PER_STATEMENT = 1_000;

/**
 * Transfers the files, as `TransferStatements.transfer()` does. Those that the scanner of their new owner has not
 * examined are closed in the same transaction, and it queues their scans.
 */
export async function moveFiles(
  runtime: TransferRuntime,
  manager: EntityManager,
  moves: readonly Move[],
  terms: TransferTerms,
): Promise<TransferOutcome[]> {
  const outcomes = await runtime.statements.transfer(manager, moves, terms);
  const isRefused = outcomes.some(({ verdict }) => verdict !== 'moved' && verdict !== 'kept');
  const given = moves.filter((move, at) => outcomes[at]?.verdict === 'moved' && isScanned(runtime, move));
  if (!isRefused && given.length > 0)
    await runtime.inUnit(transactionOf(manager), (unit) => scanGiven(runtime, unit, given));
  return outcomes;
}

/** Whether owners of the type that gets the file have a scanner. */
export function isScanned({ content }: TransferRuntime, { toType }: Pick<Move, 'toType'>): boolean {
  return content.storages.ownerTypesScanned.includes(toType);
}

async function scanGiven({ content, hooks, derived }: TransferRuntime, unit: UnitOfWork, moves: readonly Move[]) {
  const { manager } = unit;
  const files: ManagedFile[] = [];
  for (const some of inChunks(moves, FILES_PER_STATEMENT)) {
    const ids = some.map(({ fileId }) => fileId);
    files.push(...(await lockFiles(manager, ids)));
  }
  const unscanned = new Map<FileScanner | undefined, ManagedFile[]>();
  for (const file of files) {
    const scanner = content.storages.scannerFor(file.storage, file.ownerType);
    // A verdict of a scanner of this name holds, and no change of the owner opens an infected file.
    if (file.scan === 'infected' || (file.scan !== null && file.scanner === scanner?.name)) continue;
    const own = unscanned.get(scanner);
    if (own) own.push(file);
    else unscanned.set(scanner, [file]);
  }
  for (const [scanner, own] of unscanned) {
    const state = unscannedBy(scanner);
    for (const some of inChunks(own, FILES_PER_STATEMENT)) {
      const ids = some.map(({ id }) => id);
      await manager.update(ManagedFile, { id: In(ids) }, state);
      // They show what is in the content.
      if (derived) await derived.remove(unit, await derived.lockOf(manager, ids));
    }
    for (const file of own) hooks?.scan(Object.assign(file, state));
  }
}
