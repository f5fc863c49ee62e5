const TAGS: ReadonlySet<unknown> = new Set([
  'Generator',
  'AsyncGenerator',
  'GeneratorFunction',
  'AsyncGeneratorFunction',
]);

/** Why a generator is refused. */
export const GENERATOR =
  'the body of a generator runs when its values are read, which is after the commit. ' +
  'Return a promise of a list, or decorate the method that writes.';

/** Whether the value is a generator, or a method that makes one. */
export function isGenerator(value: unknown): boolean {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isObject && TAGS.has((value as { readonly [Symbol.toStringTag]?: unknown })[Symbol.toStringTag]);
}

/** Whether the method answers with the events of a GraphQL subscription, which are delivered outside of its unit. */
export function isSubscription(method: object): boolean {
  // Of @nestjs/graphql, which applications need not have.
  return Reflect.getMetadata('graphql:resolver_type', method) === 'Subscription';
}
