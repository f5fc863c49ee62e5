import type { EntityManager, FindOptionsWhere } from 'typeorm';
import type { Transactor } from '../../unit-of-work/transactor.js';
import { Together } from '../together.js';
import { FileUpload } from '../uploads/file-upload.entity.js';

// In one transaction. Their rows are locked until its end.
const MAX_TOGETHER = 100;

type Terms = FindOptionsWhere<FileUpload>;

interface Write {
  readonly id: string;
  /** Alternatives. */
  readonly terms: readonly Terms[];
  readonly change: Partial<FileUpload>;
}

/**
 * Changes the rows of uploads, outside of any unit of work, and commits changes that are asked for at the same time
 * together.
 */
export class UploadRowWrites {
  readonly #together = new Together<Write, boolean>(MAX_TOGETHER, (writes) => this.#write(writes));

  constructor(private readonly transactor: Transactor) {}

  /** Changes the row where one of the terms holds. Resolves to whether it did, once that is committed. */
  change(id: string, terms: readonly Terms[], change: Partial<FileUpload>): Promise<boolean> {
    return this.#together.do({ id, terms, change });
  }

  async #write(writes: readonly Write[]): Promise<boolean[]> {
    const [first, ...others] = writes;
    if (first && others.length === 0) return [await execute(this.transactor.dataSource.manager, first)];
    return this.transactor.run(async ({ manager }) => {
      // In the order of their ids, so that two machines cannot wait for each other.
      const ordered = [...writes.entries()].toSorted(([, one], [, other]) => (one.id < other.id ? -1 : 1));
      const results: boolean[] = [];
      for (const [at, write] of ordered) results[at] = await execute(manager, write);
      return results;
    });
  }
}

async function execute(manager: EntityManager, { id, terms, change }: Write): Promise<boolean> {
  const where = terms.map((alternative) => ({ ...alternative, id }));
  const { affected } = await manager.createQueryBuilder().update(FileUpload).set(change).where(where).execute();
  return affected === 1;
}
