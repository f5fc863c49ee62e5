import type { EntityManager } from 'typeorm';
import type { Move, TransferOutcome } from '../statements/transfer-statements.js';
import type { TransferRuntime } from '../transfer-runtime.js';
import type { UsageChange } from './quotas.js';
import { ownerOf } from '../../files/owner-reference.js';

/** Counts moved files for their new owners, and no longer for the former ones. No statement if neither has a quota. */
export async function chargeMoves(
  { quotas, statements }: TransferRuntime,
  manager: EntityManager,
  moves: readonly Move[],
  outcomes: readonly TransferOutcome[],
): Promise<void> {
  if (quotas.isEmpty) return;
  const before = new Map(
    outcomes.filter(({ verdict }) => verdict === 'moved').map((outcome) => [outcome.fileId, ownerOf(outcome.before)]),
  );
  const moved = moves.filter(({ fileId, toType }) => {
    const from = before.get(fileId);
    return from !== undefined && (quotas.isCounted(toType) || (from !== null && quotas.isCounted(from.type)));
  });
  if (moved.length === 0) return;
  const files = await statements.look(
    manager,
    moved.map(({ fileId }) => fileId),
  );
  const sizes = new Map(files.map(({ id, size }) => [id, size]));
  const changes = moved.flatMap(({ fileId, toType, toId }): UsageChange[] => {
    const bytes = sizes.get(fileId) ?? 0;
    return [
      { owner: { type: toType, id: toId }, bytes, count: 1 },
      { owner: before.get(fileId) ?? null, bytes: -bytes, count: -1 },
    ];
  });
  await quotas.charge(manager, changes);
}
