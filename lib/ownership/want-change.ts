import type { UnitQueue } from '../task-queue/unit-queue.js';
import { ChangeRights } from './guard/change-rights.js';
import { guardedOwners } from './guard/guarded-entities.js';
import { TransferRuntime } from './transfer-runtime.js';

/**
 * Whether a claim has to ask for the right to change the record that it is for; then it is asked from now on. `stated` is what the field says;
 * the module's default is for owner types whose rows are watched.
 */
export function wantChange(
  { unit }: UnitQueue,
  ownerType: string,
  stated: boolean | undefined,
  place: string,
): boolean {
  const runtime = TransferRuntime.of(unit.dataSource);
  const isUsual = (): boolean => runtime.validation.authorize && guardedOwners(unit.dataSource, ownerType).length > 0;
  if (!(stated ?? isUsual())) return false;
  ChangeRights.want(runtime, unit, ownerType, place);
  return true;
}
