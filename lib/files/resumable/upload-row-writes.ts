import type { EntityManager, FindOptionsWhere } from 'typeorm';
import { detach } from '../../unit-of-work/scopes/ambient.js';
import type { Transactor } from '../../unit-of-work/transactor.js';
import { FileUpload } from '../uploads/file-upload.entity.js';

// In one transaction. Their rows are locked until its end.
const MAX_TOGETHER = 100;

type Terms = FindOptionsWhere<FileUpload>;

interface Write {
  readonly id: string;
  /** Alternatives. */
  readonly terms: readonly Terms[];
  readonly change: Partial<FileUpload>;
  readonly resolve: (isWritten: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Changes the rows of uploads, outside of any unit of work. Changes that are asked for in one turn of the event loop, or while others are written,
 * are committed together: hundreds of requests would otherwise wait for as many commits.
 */
export class UploadRowWrites {
  #waiting: Write[] = [];
  #isWriting = false;

  constructor(private readonly transactor: Transactor) {}

  /** Changes the row where one of the terms holds. Resolves to whether it did, once that is committed. */
  change(id: string, terms: readonly Terms[], change: Partial<FileUpload>): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id, terms, change, resolve, reject });
      if (this.#isWriting) return;
      this.#isWriting = true;
      setImmediate(() => void detach(() => this.#writeAll()));
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) await this.#writeTogether(this.#waiting.splice(0, MAX_TOGETHER));
    this.#isWriting = false;
  }

  /** Never throws. */
  async #writeTogether(writes: readonly Write[]): Promise<void> {
    if (writes.length > 1) {
      // In the order of their ids, so that two machines cannot wait for each other.
      const ordered = writes.toSorted((one, other) => (one.id < other.id ? -1 : 1));
      try {
        const isWritten = await this.transactor.run(async ({ manager }) => {
          const results: boolean[] = [];
          for (const write of ordered) results.push(await execute(manager, write));
          return results;
        });
        for (const [at, write] of ordered.entries()) write.resolve(isWritten[at] ?? false);
        return;
      } catch {
        // Each is told what is wrong with its own.
      }
    }
    for (const write of writes)
      await execute(this.transactor.dataSource.manager, write).then(write.resolve, write.reject);
  }
}

async function execute(manager: EntityManager, { id, terms, change }: Write): Promise<boolean> {
  const where = terms.map((alternative) => ({ ...alternative, id }));
  const { affected } = await manager.createQueryBuilder().update(FileUpload).set(change).where(where).execute();
  return affected === 1;
}
