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

  constructor(private readonly read: Read) {}

  /** The check of the current unit of work; outside of one, that of the application. */
  static current(): EarlyCheck {
    const unit = currentUnit();
    if (unit) {
      const { statements } = TransferRuntime.of(unit.dataSource);
      return unit.slot(CHECK, () => new EarlyCheck((ids) => statements.look(unit.manager, ids)));
    }
    const runtime = TransferRuntime.only();
    let check = outside.get(runtime);
    if (!check) {
      // Callers of one tick share the statement, so it must be in nobody's context.
      check = new EarlyCheck((ids) => detach(() => runtime.statements.look(runtime.dataSource.manager, ids)));
      outside.set(runtime, check);
    }
    return check;
  }

  /** The files by their ids, also those that came with the call and are in no table yet. The ids have to be well-formed. */
  async find(ids: readonly string[]): Promise<ReadonlyMap<string, FileSnapshot>> {
    const sent = StagedFiles.current();
    const staged = new Map(ids.flatMap((id) => sent?.find(id)?.toSnapshot() ?? []).map((file) => [file.id, file]));
    if (staged.size > 0 && ids.every((id) => staged.has(id))) return staged;
    const batch = (this.#batch ??= this.#open());
    for (const id of ids) if (!staged.has(id)) batch.ids.add(id);
    const files = await batch.files;
    return staged.size === 0 ? files : new Map([...files, ...staged]);
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
