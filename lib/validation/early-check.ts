import type { FileSnapshot } from '../ownership/statements/transfer-statements.js';
import { TransferRuntime } from '../ownership/transfer-runtime.js';
import { findStagedFile } from '../staging/staged-files.js';
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

  /** The file, also one that came with the call and is in no table yet; or undefined. The id has to be a well-formed one. */
  async find(id: string): Promise<FileSnapshot | undefined> {
    const staged = findStagedFile(id);
    if (staged) return staged.toSnapshot();
    const { ids, files } = (this.#batch ??= this.#open());
    ids.add(id);
    return (await files).get(id);
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
