/** What is said about content: it counts only within what the bytes allow. */
export interface TypeHints {
  /** What the client says the content is, without parameters. */
  declared?: string | undefined;
  /** What the client calls the file. */
  name?: string | undefined;
}

/** In lower case, without the dot; empty where there is none. */
export function extensionOf(name = ''): string {
  return /[^.]\.([a-z0-9]{1,16})$/i.exec(name)?.[1]?.toLowerCase() ?? '';
}
