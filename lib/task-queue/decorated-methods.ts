import type { DiscoveryService, MetadataScanner } from '@nestjs/core';

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** A method of a provider with the decoration that was looked for. */
export interface DecoratedMethod<Decoration, Args extends unknown[]> {
  readonly decoration: Decoration;
  /** `Provider.method`, for messages. */
  readonly place: string;
  /** Whether the provider lives as long as the application, and all that it injects, too. */
  readonly isSingleton: boolean;
  /** Calls the method. */
  call(...args: Args): unknown;
}

/** The methods of the application's providers whose metadata has the key, each once, also if several modules provide its class. */
export function* decoratedMethods<Decoration, Args extends unknown[]>(
  discovery: DiscoveryService,
  scanner: MetadataScanner,
  key: symbol,
): Generator<DecoratedMethod<Decoration, Args>, void> {
  const seen = new Set<unknown>();
  for (const wrapper of discovery.getProviders()) {
    const instance: unknown = wrapper.instance;
    const prototype = prototypeOf(wrapper, instance);
    if (!prototype || seen.has(prototype)) continue;
    seen.add(prototype);
    for (const name of scanner.getAllMethodNames(prototype)) {
      const method = (prototype as Record<string, unknown>)[name] as (...args: Args) => unknown;
      const decoration = Reflect.getMetadata(key, method) as Decoration | undefined;
      if (decoration === undefined) continue;
      yield {
        decoration,
        place: `${prototype.constructor.name}.${name}`,
        isSingleton: wrapper.isDependencyTreeStatic() && !wrapper.isTransient,
        call: (...args) => method.apply(instance, args),
      };
    }
  }
}

function prototypeOf({ isNotMetatype, metatype }: Wrapper, instance: unknown): object | undefined {
  if (typeof instance === 'object' && instance !== null) return Object.getPrototypeOf(instance) as object;
  // One that is made for each request has no instance yet.
  return isNotMetatype || typeof metatype !== 'function' ? undefined : (metatype.prototype as object | undefined);
}
