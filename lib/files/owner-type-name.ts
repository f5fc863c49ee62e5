import type { FileOwnerTypes } from './file-owner-types.js';

/** The name of an owner type: a key of `FileOwnerTypes`, or any text where the application declares none. */
export type OwnerTypeName = [keyof FileOwnerTypes] extends [never] ? string : Extract<keyof FileOwnerTypes, string>;

/** The entity that `FileOwnerTypes` declares for an owner type. */
// oxlint-disable-next-line typescript/no-explicit-any -- nothing is known of entities that are not declared
export type OwnerEntity<T extends OwnerTypeName> = T extends keyof FileOwnerTypes ? FileOwnerTypes[T] : any;

/** Something for some of the owner types. */
export type ByOwnerType<V> = [keyof FileOwnerTypes] extends [never] ? Record<string, V> : { [T in OwnerTypeName]?: V };
