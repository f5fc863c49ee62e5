import * as nest from '@nestjs/common';
import { Injectable, Logger } from '@nestjs/common';
import type { OnModuleInit, Type } from '@nestjs/common';
import { DecorationInvalidError } from '../errors/setup.errors.js';
import { RouteExplorer } from '../task-queue/route-explorer.js';
import type { Route } from '../task-queue/route-explorer.js';
import { hasFileRules, transfersFiles } from './schema/with-files.js';

/**
 * Warns at boot about routes whose schemas would check nothing, or could not: Nest takes `{ schema }` without a word.
 * Refuses them in Nest 11.
 */
@Injectable()
export class SchemaRoutesCheck implements OnModuleInit {
  readonly #logger = new Logger('StandardSchema');

  constructor(private readonly explorer: RouteExplorer) {}

  onModuleInit(): void {
    for (const route of this.explorer.routes()) this.#check(route);
  }

  #check({ place, isDecorated, schemas }: Route): void {
    const concerned = schemas.filter(({ schema }) => isDecorated || hasFileRules(schema));
    if (concerned.length > 0 && !knowsSchemas) {
      throw new DecorationInvalidError(
        '{ schema }',
        place,
        'Nest 11 has no schemas and drops it without a word, so that nothing would be validated. Use NestJS 12, a DTO with ' +
          "@TransferOwnership() and its like, or a pipe that calls schema['~standard'].validate().",
      );
    }
    if (concerned.some(({ pipes }) => !pipes.some(readsSchemas))) {
      this.#logger.warn(
        `${place} has a parameter with { schema }, but no StandardSchemaValidationPipe: nothing is validated, and no file is checked or ` +
          'transferred. Put app.useGlobalPipes(new StandardSchemaValidationPipe()) into the bootstrap, or the pipe on the route.',
      );
    }
    if (!isDecorated && schemas.some(({ schema }) => transfersFiles(schema))) {
      this.#logger.warn(
        `${place} has a schema with transferOwnership() but lacks @WithTaskQueue(): put it on the handler.`,
      );
    }
  }
}

/** The pipe that validates with schemas; none in Nest 11. */
const schemaPipe = (nest as { StandardSchemaValidationPipe?: Type }).StandardSchemaValidationPipe;

/** Whether this Nest knows `@Body({ schema })`. Nest 11 takes the object for a pipe, and drops it. */
const knowsSchemas = schemaPipe !== undefined;

/** Whether a pipe, or its class, validates with the schemas of parameters. */
function readsSchemas(pipe: unknown): boolean {
  if (schemaPipe === undefined) return false;
  if (typeof pipe !== 'function') return pipe instanceof schemaPipe;
  return pipe === schemaPipe || pipe.prototype instanceof schemaPipe;
}
