import type { UnitOfWork } from '../../unit-of-work/unit-of-work.js';
import type { ManagedFile } from '../managed-file.entity.js';

interface Replacement {
  readonly fileId: string;
  readonly replacedAt: number;
  readonly isUndone: () => boolean;
}

const REPLACED = Symbol('nestjs-files:replaced');

/** Notes that the unit has given the file new content. */
export function noteReplaced(unit: UnitOfWork, { id, replacedAt }: ManagedFile): void {
  const replaced = unit.root.slot(REPLACED, (): Replacement[] => []);
  replaced.push({ fileId: id, replacedAt: Number(replacedAt), isUndone: unit.watch() });
}

/** When this transaction has given the file its present content, in milliseconds; undefined if it has not. */
export function replacedIn(unit: UnitOfWork, fileId: string): number | undefined {
  const replaced = unit.root.peek<Replacement[]>(REPLACED);
  return replaced?.findLast((one) => one.fileId === fileId && !one.isUndone())?.replacedAt;
}
