/** What a storage can do. Flags: combine them with `|`. */
export enum Capability {
  NONE = 0,
  CREATE = 1 << 0,
  STREAM = 1 << 1,
  RANGE = 1 << 2,
  COPY = 1 << 3,
  MOVE = 1 << 4,
  REMOVE = 1 << 5,
  EXISTS = 1 << 6,
  SCAN = 1 << 7,
  APPEND = 1 << 8,
  COMPOSE = 1 << 9,
  ANALYZE = 1 << 10,
  MULTIPART = 1 << 11,
  RESUMABLE = 1 << 12,
  SIGNED = 1 << 13,
  LINK_PERMANENT = 1 << 14,
  LINK_TEMPORARY = 1 << 15,
  LINK_ONE_TIME = 1 << 16,
}

/** The names of the flags that are set: `capabilityNames(Capability.CREATE | Capability.STREAM)` → `['CREATE', 'STREAM']`. */
export function capabilityNames(capabilities: Capability): string[] {
  return Object.entries(Capability)
    .filter(([, flag]) => typeof flag === 'number' && flag !== 0 && (capabilities & flag) === flag)
    .map(([name]) => name);
}
