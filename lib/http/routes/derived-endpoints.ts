import { Get, Header, Injectable, Param, Res } from '@nestjs/common';
import type { ExecutionContext, Type } from '@nestjs/common';
import { DerivedFiles } from '../../files/derived/derived-files.js';
import type { DerivedRecipes } from '../../files/derived/derived-recipes.js';
import { Downloads } from '../download/downloads.js';
import type { PlatformResponse } from '../download/departure.js';
import type { CheckedHttpOptions } from '../http-options.js';
import { CallContext } from './call-context.decorator.js';
import { PRIVATE } from './file-answers.js';
import { FileGate } from './file-gate.js';
import { describeDerived } from './openapi.js';
import { ownRoutes } from './own-routes.js';

/** The content of files that are derived from others, below the addresses of their originals. */
// Decorated so that the compiler tells Nest what it needs.
@Injectable()
export abstract class DerivedEndpoints {
  constructor(
    private readonly gate: FileGate,
    private readonly downloads: Downloads,
    private readonly derived: DerivedFiles,
  ) {}

  /** Answers 202, without content, while there is nothing yet. */
  async answer(kind: string, id: string, context: ExecutionContext, response: PlatformResponse): Promise<void> {
    const find = async () => {
      const original = await this.gate.find(id, 'stream', context);
      this.downloads.assertReadable(original, context);
      return this.derived.request(original, kind);
    };
    this.downloads.send(await this.downloads.answer(find, context), response);
  }
}

/**
 * Adds a route for each kind: `GET :id/thumbnail`. The kinds are known when Nest makes providers, before it registers
 * routes. A route for all kinds, `:id/:kind`, would be in the way of those of the application.
 */
export function addDerivedRoutes(controller: Type, recipes: DerivedRecipes, options: CheckedHttpOptions): void {
  const prototype = controller.prototype as DerivedEndpoints & Record<string, unknown>;
  for (const { kind } of recipes.all) {
    const value = function (this: DerivedEndpoints, id: string, context: ExecutionContext, response: PlatformResponse) {
      return this.answer(kind, id, context, response);
    };
    const descriptor = { value, configurable: true, writable: true };
    Object.defineProperty(prototype, kind, descriptor);
    for (const decorate of [Get(`:id/${kind}`), Header(...PRIVATE)]) decorate(prototype, kind, descriptor);
    for (const [at, decorate] of [Param('id'), CallContext(), Res()].entries()) decorate(prototype, kind, at);
    Reflect.defineMetadata('design:paramtypes', [String, Object, Object], prototype, kind);
    describeDerived(value, kind);
    ownRoutes(controller, { [kind]: 'derived' }, options);
  }
}
