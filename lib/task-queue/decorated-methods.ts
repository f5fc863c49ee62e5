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

/**
 * The methods of the application's providers whose metadata has the key, each once, also if several modules provide its
 * class.
 */
export function* decoratedMethods<Decoration, Args extends unknown[]>(
  discovery: DiscoveryService,
  scanner: MetadataScanner,
  key: symbol,
): Generator<DecoratedMethod<Decoration, Args>, void> {
  for (const { wrapper, method, ...found } of methodsWith<Decoration, Args>(discovery, scanner, key))
    yield {
      ...found,
      isSingleton: wrapper.isDependencyTreeStatic() && !wrapper.isTransient,
      call: (...args) => method.apply(wrapper.instance, args),
    };
}

/**
 * The decorations of such methods, while Nest makes the providers: all classes and values are known by then. What
 * factories make is left out. Scopes must not be asked for yet, because Nest remembers a wrong answer.
 */
export function decorationsOfClasses<Decoration>(
  discovery: DiscoveryService,
  scanner: MetadataScanner,
  key: symbol,
): Pick<DecoratedMethod<Decoration, never>, 'decoration' | 'place'>[] {
  return [...methodsWith<Decoration, never>(discovery, scanner, key)].filter(({ wrapper }) => !wrapper.isFactory);
}

/** The methods of controllers and providers whose metadata has the key. */
export function everyDecorated<Decoration>(
  discovery: DiscoveryService,
  scanner: MetadataScanner,
  key: symbol | string,
): Pick<FoundMethod<Decoration, never>, 'method' | 'decoration' | 'place'>[] {
  const wrappers = [...discovery.getControllers(), ...discovery.getProviders()];
  return [...methodsOf<Decoration, never>(wrappers, scanner, key)];
}

interface FoundMethod<Decoration, Args extends unknown[]> {
  readonly wrapper: Wrapper;
  readonly method: (...args: Args) => unknown;
  readonly decoration: Decoration;
  readonly place: string;
}

function methodsWith<Decoration, Args extends unknown[]>(
  discovery: DiscoveryService,
  scanner: MetadataScanner,
  key: symbol,
): Generator<FoundMethod<Decoration, Args>, void> {
  return methodsOf(discovery.getProviders(), scanner, key);
}

function* methodsOf<Decoration, Args extends unknown[]>(
  wrappers: readonly Wrapper[],
  scanner: MetadataScanner,
  key: symbol | string,
): Generator<FoundMethod<Decoration, Args>, void> {
  const seen = new Set<unknown>();
  for (const wrapper of wrappers) {
    const prototype = prototypeOf(wrapper, wrapper.instance);
    if (!prototype || seen.has(prototype)) continue;
    seen.add(prototype);
    for (const name of scanner.getAllMethodNames(prototype)) {
      const method = (prototype as Record<string, unknown>)[name] as (...args: Args) => unknown;
      const decoration = Reflect.getMetadata(key, method) as Decoration | undefined;
      if (decoration !== undefined)
        yield { wrapper, method, decoration, place: `${prototype.constructor.name}.${name}` };
    }
  }
}

function prototypeOf({ isNotMetatype, metatype }: Wrapper, instance: unknown): object | undefined {
  if (typeof instance === 'object' && instance !== null) return Object.getPrototypeOf(instance) as object;
  // One that is made for each request has no instance yet.
  return isNotMetatype || typeof metatype !== 'function' ? undefined : (metatype.prototype as object | undefined);
}
