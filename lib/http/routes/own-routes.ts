import type { Type } from '@nestjs/common';
import type { CheckedHttpOptions, FilesRoute } from '../http-options.js';

/** The methods of endpoints that are routes. */
export type RouteMethods = Readonly<Record<string, FilesRoute>>;

/**
 * Overrides the controller's inherited methods, to add the application's decorators. Another module in the same process
 * may have other decorators. Routes that are left out are hidden.
 */
export function ownRoutes(controller: Type, methods: RouteMethods, options: CheckedHttpOptions): void {
  const prototype = controller.prototype as Record<string, (...args: unknown[]) => unknown>;
  for (const [method, route] of Object.entries(methods)) {
    const decorators = options.decoratorsOf(route);
    // Nest looks no further than to the nearest property of the name.
    const value = decorators && delegateTo(prototype[method] as (...args: unknown[]) => unknown);
    const descriptor = { value, configurable: true, writable: true };
    Object.defineProperty(prototype, method, descriptor);
    for (const decorate of decorators ?? []) {
      Object.defineProperty(prototype, method, decorate(prototype, method, descriptor) ?? descriptor);
    }
  }
}

function delegateTo(inherited: (...args: unknown[]) => unknown): (...args: unknown[]) => unknown {
  const own = function (this: unknown, ...args: unknown[]): unknown {
    return inherited.apply(this, args);
  };
  for (const key of Reflect.getMetadataKeys(inherited)) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, inherited), own);
  }
  return Object.defineProperty(own, 'name', { value: inherited.name });
}
