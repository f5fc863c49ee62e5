import type { FileSnapshot } from '../ownership/statements/transfer-statements.js';
import { TransferRuntime } from '../ownership/transfer-runtime.js';
import { StagedFiles } from '../staging/staged-files.js';
import { currentUnit, detach } from '../unit-of-work/ambient.js';

interface Batch {
  readonly ids: Set<string>;
  readonly files: Promise<Map<string, FileSnapshot>>;
}

type Read = (ids: readonly string[]) => Promise<FileSnapshot[]>;

const CHECK = Symbol('nestjs-files:early-check');
const outside = new WeakMap<TransferRuntime, EarlyCheck>();

/** Looks files up for constraints. All that is asked in one tick is one SELECT. */
export class EarlyCheck {
  #batch: Batch | undefined;

  constructor(
    private readonly read: Read,
    /** How many files a list may name, unless its field says otherwise. */
    readonly maxFiles: number,
  ) {}

  /** The check of the current unit of work; outside of one, that of the application. */
  static current(): EarlyCheck {
    const unit = currentUnit();
    if (unit) {
      const { statements, validation } = TransferRuntime.of(unit.dataSource);
      return unit.slot(CHECK, () => new EarlyCheck((ids) => statements.look(unit.manager, ids), validation.maxFiles));
    }
    const runtime = TransferRuntime.only();
    let check = outside.get(runtime);
    if (!check) {
      // Callers of one tick share the statement, so it must be in nobody's context.
      const { statements, dataSource, validation } = runtime;
      check = new EarlyCheck((ids) => detach(() => statements.look(dataSource.manager, ids)), validation.maxFiles);
      outside.set(runtime, check);
    }
    return check;
  }

  /** The files by their ids, also those that came with the call and are in no table yet. The ids have to be well-formed. */
  async find(ids: readonly string[]): Promise<ReadonlyMap<string, FileSnapshot>> {
    const sent = StagedFiles.current();
    const found = new Map(ids.flatMap((id) => sent?.find(id)?.toSnapshot() ?? []).map((file) => [file.id, file]));
    const others = ids.filter((id) => !found.has(id));
    if (others.length === 0) return found;
    const batch = (this.#batch ??= this.#open());
    for (const id of others) batch.ids.add(id);
    const files = await batch.files;
    for (const id of others) {
      const file = files.get(id);
      if (file) found.set(id, file);
    }
    return found;
  }

  #open(): Batch {
    const ids = new Set<string>();
    // After the microtasks that are waiting: pipes of several parameters reach their constraints a few of those apart.
    const tick = new Promise<void>((resolve) => void Promise.resolve().then(() => process.nextTick(resolve)));
    const files = tick.then(async () => {
      this.#batch = undefined;
      const found = await this.read([...ids]);
      return new Map(found.map((file) => [file.id, file]));
    });
    return { ids, files };
  }
}
