import type { Random } from '../soak/random.js';

/** A package that was answered with success, with the bytes of its files by their ids. */
export interface KnownPackage {
  readonly attachmentId: string | null;
  readonly files: ReadonlyMap<string, Buffer>;
}

/** What one client knows for certain, from answers of success. */
export class Ledger {
  /** Uploads that no record names. */
  readonly free = new Map<string, Buffer>();
  readonly packages = new Map<string, KnownPackage>();
  readonly names: string[] = [];
  /** Drafts, with the file of each. */
  readonly drafts = new Map<string, string>();
  /** Files that a request without an answer was about: they belong to the user or to the record, and are there. */
  readonly limbo = new Map<string, Buffer>();
  /** Resumable uploads that have not ended. */
  readonly unfinished = new Map<string, Buffer>();
  /** Files that were answered as deleted. */
  readonly deleted: string[] = [];

  constructor(private readonly random: Random) {}

  /** Takes some of the free files out, for a request. */
  take(most: number): [string, Buffer][] {
    const taken: [string, Buffer][] = [];
    while (taken.length < most && this.free.size > 0) {
      const chosen = this.random.pick([...this.free]);
      this.free.delete(chosen[0]);
      taken.push(chosen);
    }
    return taken;
  }

  giveBack(files: Iterable<[string, Buffer]>): void {
    for (const [id, bytes] of files) this.free.set(id, bytes);
  }

  lose(files: Iterable<[string, Buffer]>): void {
    for (const [id, bytes] of files) this.limbo.set(id, bytes);
  }
}
