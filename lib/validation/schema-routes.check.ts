import { Injectable, Logger, StandardSchemaValidationPipe } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { RouteExplorer } from '../task-queue/route-explorer.js';
import type { Route } from '../task-queue/route-explorer.js';
import { hasFileRules, transfersFiles } from './schema/with-files.js';

/** Warns at boot about routes whose schemas would check nothing, or could not: Nest takes `{ schema }` without a word. */
@Injectable()
export class SchemaRoutesCheck implements OnModuleInit {
  readonly #logger = new Logger('StandardSchema');

  constructor(private readonly explorer: RouteExplorer) {}

  onModuleInit(): void {
    for (const route of this.explorer.routes()) this.#check(route);
  }

  #check({ place, isDecorated, schemas }: Route): void {
    const concerned = schemas.filter(({ schema }) => isDecorated || hasFileRules(schema));
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

function readsSchemas(pipe: unknown): boolean {
  if (typeof pipe !== 'function') return pipe instanceof StandardSchemaValidationPipe;
  return pipe === StandardSchemaValidationPipe || pipe.prototype instanceof StandardSchemaValidationPipe;
}
