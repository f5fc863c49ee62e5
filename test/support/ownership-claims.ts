import { CallOutcome } from '../../lib/ownership/call-outcome.js';
import type { FileClaim } from '../../lib/ownership/call-outcome.js';

/** A claim of the DTO for the file in `property`. */
export function claimOf(dto: object, property: string, claim: Partial<FileClaim> = {}): FileClaim {
  const value = (dto as Record<string, unknown>)[property];
  const fileId = Array.isArray(value) ? String(value[0]) : String(value);
  return { fileId, dto, dtoName: 'ResourceDto', property, ownerType: 'resource', idSteps: ['id'], ...claim };
}

/** The outcome of a call with the arguments. */
export function outcomeOf(
  args: readonly unknown[],
  result: unknown,
  bindings: readonly [object, object][] = [],
): CallOutcome {
  const bound = new Map(bindings);
  return new CallOutcome(args, result, bound);
}
