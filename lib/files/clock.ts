/** Epoch milliseconds, as `Date.now` gives them. */
export type Clock = () => number;

/** What the files room takes for the time. @default Date.now */
export const FILES_CLOCK = Symbol('FILES_CLOCK');
