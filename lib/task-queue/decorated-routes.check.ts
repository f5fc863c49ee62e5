import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { DecorationInvalidError } from '../errors/setup.errors.js';
import { everyDecorated } from './decorated-methods.js';
import { GENERATOR, isSubscription } from './generators.js';
import { type Route, RouteExplorer } from './route-explorer.js';
import { type Decoration, WITH_TASK_QUEUE } from './task-queue.interceptor.js';

/**
 * Refuses to start where `@WithTaskQueue()` could not keep its promise, and warns where pipes would not see the body.
 */
@Injectable()
export class DecoratedRoutesCheck implements OnModuleInit {
  readonly #logger = new Logger('WithTaskQueue');

  constructor(
    private readonly explorer: RouteExplorer,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  onModuleInit(): void {
    this.#refuseGenerators();
    for (const route of this.explorer.routes()) if (route.isDecorated) this.#check(route);
  }

  #refuseGenerators(): void {
    const decorated = everyDecorated<Decoration>(this.discovery, this.scanner, WITH_TASK_QUEUE);
    for (const { method, decoration, place } of decorated)
      if (decoration.isGenerator && !isSubscription(method))
        throw new DecorationInvalidError('@WithTaskQueue()', place, GENERATOR);
  }

  #check(route: Route): void {
    const refuse = (why: string): never => {
      throw new DecorationInvalidError('@WithTaskQueue()', route.place, why);
    };
    if (route.isSse)
      refuse('an @Sse() stream leaves before the commit and may never end. Queue the work on another route.');
    if (route.takesResponse) {
      refuse(
        'with @Res() the response leaves before the commit. Return the result, or use @Res({ passthrough: true }).',
      );
    }
    if (route.takesNext) refuse('with @Next() what comes after would run beside the unit of work. Return the result.');
    if (route.bodyTypes.some((type) => type === Object || type === undefined)) {
      this.#logger.warn(
        `${route.place} has @WithTaskQueue() and an untyped @Body(): pipes do not validate it, so no file is transferred. ` +
          'Give the parameter a DTO class.',
      );
    }
    if (route.bodyTypes.includes(Array)) {
      this.#logger.warn(
        `${route.place} has @WithTaskQueue() and a list as @Body(): ValidationPipe does not validate its items, so no file is transferred. ` +
          'Use @Body(new ParseArrayPipe({ items: Dto })).',
      );
    }
  }
}
