/** For `@Header()`: what one actor may know is in no cache that others use, and not shown again without asking. */
export const PRIVATE = ['Cache-Control', 'private, no-cache'] as const;
