/**
 * The addresses of the library's routes. It is a port, because the rooms that give addresses to clients do not know the
 * routes.
 */
export abstract class FilesAddresses {
  /** The path of a file's content; `undefined` without the route. */
  abstract contentOf(fileId: string): string | undefined;
  /** The path that opens a signed link; `undefined` without the route. */
  abstract linkOf(token: string): string | undefined;
}
