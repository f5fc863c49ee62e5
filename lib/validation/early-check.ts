import type { EntityManager } from 'typeorm';
import type { Actor } from '../actor/actor.js';
import { NOBODY, TransferRuntime } from '../ownership/transfer-runtime.js';
import type { Sight } from '../ownership/transfer-runtime.js';
import { unsafe } from '../ownership/statements/transfer-statements.js';
import type { FileSnapshot, OwnershipState } from '../ownership/statements/transfer-statements.js';
import { StagedFiles } from '../staging/staged-files.js';
import { detach } from '../unit-of-work/scopes/ambient.js';
import { currentUnit } from '../unit-of-work/unit-of-work.js';
import { FILE_OWNER } from '../files/owner-reference.js';
import type { ScanState } from '../files/public-file.js';
import type { ClaimRefusal } from '../ownership/file-claims.js';

/** A file, and whether the actor of the call may see it. */
export interface SeenFile extends FileSnapshot {
  readonly sight: Sight;
}

type Viewer = Promise<Actor | null> | undefined;
type Seen = ReadonlyMap<string, SeenFile>;

interface Batch {
  /** The requested ids of each viewer. Outside of units of work, calls of several viewers may share a batch. */
  readonly ids: Map<Viewer, Set<string>>;
  readonly files: Promise<ReadonlyMap<Viewer, Seen>>;
}

const CHECK = Symbol('nestjs-files:early-check');
const outside = new WeakMap<TransferRuntime, EarlyCheck>();

/**
 * Finds files for validation constraints. All lookups of one tick share one SELECT. For each viewer and owner type, the
 * policy is called once if it has `allowsMany`. Otherwise it is called once for each owner.
 */
export class EarlyCheck {
  #batch: Batch | undefined;

  private constructor(
    private readonly runtime: TransferRuntime,
    /** The entity manager of the unit of work. Outside of a unit, the data source's entity manager. */
    private readonly manager: EntityManager,
  ) {}

  /** The check of the current unit of work. Outside of a unit, the application's check. */
  static current(): EarlyCheck {
    const unit = currentUnit();
    if (unit) return unit.slot(CHECK, () => new EarlyCheck(TransferRuntime.of(unit.dataSource), unit.manager));
    const runtime = TransferRuntime.only();
    let check = outside.get(runtime);
    if (!check) outside.set(runtime, (check = new EarlyCheck(runtime, runtime.dataSource.manager)));
    return check;
  }

  /**
   * Resolves with the files by their ids, including uploads of the current call, which have no row yet. The map may
   * also contain the files of other lookups in the same tick. The ids must be well-formed.
   */
  async find(ids: readonly string[]): Promise<Seen> {
    const sent = sentWith(ids);
    const others = sent.size === 0 ? ids : ids.filter((id) => !sent.has(id));
    if (others.length === 0) return sent;
    const viewer = this.runtime.viewer();
    const batch = (this.#batch ??= this.#open());
    const asked = batch.ids.get(viewer) ?? new Set<string>();
    batch.ids.set(viewer, asked);
    for (const id of others) asked.add(id);
    const files = (await batch.files).get(viewer) ?? sent;
    return sent.size === 0 ? files : new Map([...files, ...sent]);
  }

  #open(): Batch {
    const ids: Batch['ids'] = new Map();
    // The batch closes after all waiting microtasks, because pipes of several parameters reach their constraints a few
    // microtasks apart.
    const tick = new Promise<void>((resolve) => queueMicrotask(() => process.nextTick(resolve)));
    const files = tick.then(() => {
      this.#batch = undefined;
      // Callers of one tick share the statement. So outside of a unit, it must not run in the async context of one
      // caller.
      return currentUnit() ? this.#look(ids) : detach(() => this.#look(ids));
    });
    return { ids, files };
  }

  async #look(asked: Batch['ids']): Promise<ReadonlyMap<Viewer, Seen>> {
    const { statements } = this.runtime;
    const [only, ...more] = asked.values();
    const all = more.length === 0 && only ? only : new Set([...asked.values()].flatMap((ids) => [...ids]));
    const found = await statements.lookBefore(this.manager, [...all]);
    const seen = new Map<Viewer, Seen>();
    for (const [viewer, ids] of asked) {
      // Each viewer gets separate snapshots, because a snapshot also contains whether the viewer may see the file.
      const files = asked.size === 1 ? found : found.filter(({ id }) => ids.has(id)).map((file) => ({ ...file }));
      const actor = await viewer;
      const isShown = ({ ownerType, ownerId }: FileSnapshot): boolean =>
        viewer === undefined || (ownerType === actor?.type && ownerId === actor?.id);
      const others = files.filter((file) => !isShown(file));
      const sights = others.length > 0 ? await this.runtime.sight(actor ?? null, others) : undefined;
      const sightOf = (file: FileSnapshot): Sight => {
        const sight = isShown(file) ? 'shown' : (sights?.get(file.id) ?? 'hidden');
        // Outside of calls, such as in a cron job, a claim for the record that has the file is left to its transfer.
        return viewer === NOBODY && sight === 'hidden' ? 'unknown' : sight;
      };
      seen.set(viewer, new Map(files.map((file) => [file.id, Object.assign(file, { sight: sightOf(file) })])));
    }
    return seen;
  }
}

/** Finds the files with these ids that were uploaded in the current call. */
function sentWith(ids: readonly string[]): Map<string, SeenFile> {
  const found = new Map<string, SeenFile>();
  const sent = StagedFiles.current();
  if (!sent) return found;
  for (const id of ids) {
    const file = sent.find(id)?.toSnapshot();
    if (file) found.set(id, { ...file, sight: 'shown' });
  }
  return found;
}

interface ClaimTerms {
  readonly actor: Actor | null;
  readonly isManager: boolean;
  readonly ownerType: string;
  readonly allowUnowned: boolean;
  /** Whether files are taken before their scan. */
  readonly attachPending?: boolean;
}

/**
 * Returns why the claim is refused before the handler runs, or undefined if it is not refused. If the file's owner has
 * the same type as the target, only the transfer can decide, also about its scan, because the target's id is not known
 * before the handler's result. But if a policy hides the file from the actor, it is treated as missing, unless the
 * actor is a manager.
 */
export function earlyRefusal(
  file: (OwnershipState & { readonly sight?: Sight; readonly scan?: ScanState | null }) | undefined,
  terms: ClaimTerms,
): ClaimRefusal | undefined {
  // A derived file belongs to its original as long as it is there.
  if (!file || file.ownerType === FILE_OWNER) return 'foreign';
  const { actor, isManager, ownerType, allowUnowned } = terms;
  if (file.ownerType === ownerType) return file.sight === 'hidden' && !isManager ? 'foreign' : undefined;
  const isOwn = actor !== null && file.ownerType === actor.type && file.ownerId === actor.id;
  if (!isOwn && !isManager && !(allowUnowned && file.ownerType === null)) return 'foreign';
  return file.pinned ? 'pinned' : unsafe(file.scan, terms.attachPending);
}
