/** Declarations about the type of content, which count only within the limits that the bytes set. */
export interface TypeHints {
  /** The content type that the client declares, without parameters. */
  declared?: string | undefined;
  /** The client's name for the file. */
  name?: string | undefined;
}

/** In lower case, without the dot; empty where there is none. */
export function extensionOf(name = ''): string {
  return /[^.]\.([a-z0-9]{1,16})$/i.exec(name)?.[1]?.toLowerCase() ?? '';
}
