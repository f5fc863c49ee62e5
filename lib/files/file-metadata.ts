/**
 * The `metadata` that the application keeps with its files. If the interface is empty, it is any object of JSON;
 * otherwise it has the declared properties.
 * @example declare module 'nestjs-files' { interface FileMetadata { alt?: string; embargo?: boolean } }
 */
export interface FileMetadata {}
