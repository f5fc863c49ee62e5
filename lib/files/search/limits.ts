/** How large one search may be. Beyond their own limits, databases fail with unclear errors. */
export const LIMITS = {
  /** Files of a page. */
  files: 1000,
  /** `$and`, `$or` and lists of owners within each other. */
  depth: 8,
  conditions: 200,
  /** Values of all lists together. */
  listed: 2000,
  /** Characters of a value. */
  text: 2048,
  /** Keys on the way into JSON, and characters of one. */
  path: 16,
  key: 128,
} as const;
