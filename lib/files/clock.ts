/** Epoch milliseconds, as `Date.now` gives them. */
export type Clock = () => number;

/** The clock of the files room. @default Date.now */
export const FILES_CLOCK = Symbol('FILES_CLOCK');
