import type { Content } from './content.js';

/** The owner of a file that was sent with a record of which nobody knows whether it is. */
export const NEW_SHELF = 'a new shelf';

export interface FileState {
  /** `user c1`, `shelf 7…`, `nobody` or `NEW_SHELF`. */
  readonly owner: string;
  readonly name: string;
  readonly content: Content;
}

export interface ShelfState {
  readonly coverId: string | null;
  readonly scanId: string | null;
}

/** What a request makes of files and records, if it is done: `undefined` for one that is no more. */
export interface Change {
  readonly files?: ReadonlyMap<string, FileState | undefined>;
  readonly shelves?: ReadonlyMap<string, ShelfState | undefined>;
}

/** What a request makes anew, by names that nothing else has: all that is known of it when there is no answer. */
export interface Novelty {
  readonly files?: ReadonlyMap<string, Content>;
  readonly label?: string;
}

/**
 * What one client was told. Each thing is as it was told; one that a request without an answer was about may be one or
 * the other, and the client lets go of it.
 */
export class Ledger {
  readonly files = new Map<string, readonly (FileState | undefined)[]>();
  readonly shelves = new Map<string, readonly (ShelfState | undefined)[]>();
  /** New files and records of which nobody knows whether they are. */
  readonly maybeFiles = new Map<string, Content>();
  readonly maybeLabels = new Set<string>();

  /** The files that are certain to be there. */
  liveFiles(): [string, FileState][] {
    return live(this.files);
  }

  liveShelves(): [string, ShelfState][] {
    return live(this.shelves);
  }

  done({ files, shelves }: Change): void {
    for (const [id, state] of files ?? []) this.files.set(id, [state]);
    for (const [id, state] of shelves ?? []) this.shelves.set(id, [state]);
  }

  unknown({ files, shelves }: Change, novelty: Novelty): void {
    for (const id of files?.keys() ?? []) this.#letGoOfShelf(this.files.get(id)?.[0]?.owner);
    for (const [id, state] of files ?? []) this.files.set(id, [...(this.files.get(id) ?? []), state]);
    for (const [id, state] of shelves ?? []) this.shelves.set(id, [...(this.shelves.get(id) ?? []), state]);
    for (const [name, content] of novelty.files ?? []) this.maybeFiles.set(name, content);
    if (novelty.label !== undefined) this.maybeLabels.add(novelty.label);
  }

  // Whatever is done with a shelf, the client has to know what becomes of its files.
  #letGoOfShelf(owner: string | undefined): void {
    const id = owner?.split(' ')[1] ?? '';
    const states = this.shelves.get(id);
    if (states) this.shelves.set(id, [...states, ...states]);
  }
}

function live<T>(things: ReadonlyMap<string, readonly (T | undefined)[]>): [string, T][] {
  return [...things].flatMap(([id, states]): [string, T][] => {
    const [state] = states;
    return states.length === 1 && state !== undefined ? [[id, state]] : [];
  });
}
