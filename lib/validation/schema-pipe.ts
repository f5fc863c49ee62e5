import * as nest from '@nestjs/common';
import type { Type } from '@nestjs/common';

/** The pipe that validates with schemas; none in Nest 11. */
const schemaPipe = (nest as { StandardSchemaValidationPipe?: Type }).StandardSchemaValidationPipe;

/** Whether this Nest knows `@Body({ schema })`. Nest 11 takes the object for a pipe, and drops it. */
export const knowsSchemas = schemaPipe !== undefined;

/** Whether a pipe, or its class, validates with the schemas of parameters. */
export function readsSchemas(pipe: unknown): boolean {
  if (schemaPipe === undefined) return false;
  if (typeof pipe !== 'function') return pipe instanceof schemaPipe;
  return pipe === schemaPipe || pipe.prototype instanceof schemaPipe;
}
