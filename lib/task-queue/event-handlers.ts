import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';

// The metadata of `@EventPattern()`. Applications need not have @nestjs/microservices.
const HANDLER_TYPE = 'microservices:handler_type';
const PATTERNS = 'microservices:pattern';
const TRANSPORT = 'microservices:transport';
const EVENT = 2;

/** Knows the handlers of the events of microservices. */
@Injectable()
export class EventHandlers {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /**
   * Whether the handler's event has other handlers on its transport, too. Nest runs them together, and unsubscribes
   * from all of them when one fails or emits nothing.
   */
  isShared(handler: object): boolean {
    return eventsOf(handler).some((event) => this.#countHandlers(event) > 1);
  }

  #countHandlers(event: TransportEvent): number {
    return this.discovery
      .getControllers()
      .flatMap(({ metatype }) => (typeof metatype === 'function' ? this.#eventsOf(metatype.prototype as object) : []))
      .filter((other) => isOfOneServer(other, event)).length;
  }

  #eventsOf(prototype: object): TransportEvent[] {
    return this.scanner
      .getAllMethodNames(prototype)
      .flatMap((name) => eventsOf((prototype as Record<string, object>)[name] as object));
  }
}

interface TransportEvent {
  readonly pattern: unknown;
  /** Undefined for a handler of every transport. */
  readonly transport: unknown;
}

function eventsOf(method: object): TransportEvent[] {
  if (Reflect.getMetadata(HANDLER_TYPE, method) !== EVENT) return [];
  const transport: unknown = Reflect.getMetadata(TRANSPORT, method);
  return (Reflect.getMetadata(PATTERNS, method) as readonly unknown[]).map((pattern) => ({ pattern, transport }));
}

function isOfOneServer(one: TransportEvent, other: TransportEvent): boolean {
  const isEvery = one.transport === undefined || other.transport === undefined;
  return (isEvery || one.transport === other.transport) && isDeepStrictEqual(one.pattern, other.pattern);
}
