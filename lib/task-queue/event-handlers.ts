import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';

// The metadata of `@EventPattern()`. Applications need not have @nestjs/microservices.
const HANDLER_TYPE = 'microservices:handler_type';
const PATTERNS = 'microservices:pattern';
const EVENT = 2;

/** Knows the handlers of the events of microservices. */
@Injectable()
export class EventHandlers {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /**
   * Whether the handler's event has other handlers, too. Nest runs them together, and unsubscribes from all of them
   * when one fails or emits nothing.
   */
  isShared(handler: object): boolean {
    return eventsOf(handler).some((event) => this.#countHandlers(event) > 1);
  }

  #countHandlers(event: unknown): number {
    return this.discovery
      .getControllers()
      .flatMap(({ metatype }) => (typeof metatype === 'function' ? this.#eventsOf(metatype.prototype as object) : []))
      .filter((other) => isDeepStrictEqual(other, event)).length;
  }

  #eventsOf(prototype: object): unknown[] {
    return this.scanner
      .getAllMethodNames(prototype)
      .flatMap((name) => eventsOf((prototype as Record<string, object>)[name] as object));
  }
}

function eventsOf(method: object): readonly unknown[] {
  if (Reflect.getMetadata(HANDLER_TYPE, method) !== EVENT) return [];
  return Reflect.getMetadata(PATTERNS, method) as readonly unknown[];
}
