/** What a storage can do. Flags: combine them with `|`. */
export enum Capability {
  /** Nothing. */
  NONE = 0,
  /** `write`: stores new bytes. */
  CREATE = 1 << 0,
  /** `read`: gives the bytes. */
  STREAM = 1 << 1,
  /** `read` with a range: gives a part of the bytes. */
  RANGE = 1 << 2,
  /** `copy`: without the bytes passing through the application. */
  COPY = 1 << 3,
  /** `move`: likewise. */
  MOVE = 1 << 4,
  /** `remove`: deletes the bytes. */
  REMOVE = 1 << 5,
  /** `exists` and `stat`: tells without reading. */
  EXISTS = 1 << 6,
  /** `scan`: lists what is there. */
  SCAN = 1 << 7,
  /** Adds bytes to an object. No operation of the library uses it yet. */
  APPEND = 1 << 8,
  /** Joins objects. No operation of the library uses it yet. */
  COMPOSE = 1 << 9,
  /** Bytes that came by another way can be registered: they are read and examined. */
  ANALYZE = 1 << 10,
  /** Takes an object in parts. No operation of the library uses it yet. */
  MULTIPART = 1 << 11,
  /** Takes up a broken upload again. No operation of the library uses it yet. */
  RESUMABLE = 1 << 12,
  /** Signs uploads that go past the application. No operation of the library uses it yet. */
  SIGNED = 1 << 13,
  /** `permanentLink`: an address that holds as long as the bytes. */
  LINK_PERMANENT = 1 << 14,
  /** `temporaryLink`: an address that expires. */
  LINK_TEMPORARY = 1 << 15,
  /** An address for one use. No operation of the library uses it yet. */
  LINK_ONE_TIME = 1 << 16,
}

/** The names of the flags that are set: `capabilityNames(Capability.CREATE | Capability.STREAM)` → `['CREATE', 'STREAM']`. */
export function capabilityNames(capabilities: Capability): string[] {
  return Object.entries(Capability)
    .filter(([, flag]) => typeof flag === 'number' && flag !== 0 && (capabilities & flag) === flag)
    .map(([name]) => name);
}
