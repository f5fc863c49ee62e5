/**
 * Links that the application makes itself.
 * @module nestjs-files/links
 */

export { FilesLinks } from '../links/files-links.js';
export type { FoundLink, OpenedLink, TemporaryLink } from '../links/files-links.js';
export type { LinkOptions } from '../links/link-options.js';
export type { LinkPurpose } from '../links/link-token.js';
export type { LinksOptions } from '../links/links-options.js';
