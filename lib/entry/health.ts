/**
 * A health indicator for `@nestjs/terminus`, version 11 or 12.
 * @module nestjs-files/health
 */

export { FilesHealthIndicator } from '../health/files-health.js';
export type { FilesHealthOptions, FilesHealthPart } from '../health/health-options.js';
