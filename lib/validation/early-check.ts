import type { EntityManager } from 'typeorm';
import type { Actor } from '../actor/actor.js';
import { TransferRuntime } from '../ownership/transfer-runtime.js';
import type { Sight } from '../ownership/transfer-runtime.js';
import type { FileSnapshot, OwnershipState } from '../ownership/statements/transfer-statements.js';
import { StagedFiles } from '../staging/staged-files.js';
import { detach } from '../unit-of-work/scopes/ambient.js';
import { currentUnit } from '../unit-of-work/unit-of-work.js';
import type { ClaimRefusal } from '../ownership/file-claims.js';

/** A file, and how the actor of the call sees it. */
export interface SeenFile extends FileSnapshot {
  readonly sight: Sight;
}

type Viewer = Promise<Actor | null> | undefined;
type Seen = ReadonlyMap<string, SeenFile>;

interface Batch {
  /** By viewer: outside of units of work, several calls may share a batch. */
  readonly ids: Map<Viewer, Set<string>>;
  readonly files: Promise<ReadonlyMap<Viewer, Seen>>;
}

const CHECK = Symbol('nestjs-files:early-check');
const outside = new WeakMap<TransferRuntime, EarlyCheck>();

/**
 * Looks files up for constraints. All lookups of one tick share one SELECT. Policies are asked by viewer and owner type: once with
 * `allowsMany`, else once for each owner.
 */
export class EarlyCheck {
  #batch: Batch | undefined;

  private constructor(
    private readonly runtime: TransferRuntime,
    /** The entity manager of the unit of work; outside of one, that of the data source. */
    private readonly manager: EntityManager,
  ) {}

  /** The check of the current unit of work; outside of one, that of the application. */
  static current(): EarlyCheck {
    const unit = currentUnit();
    if (unit) return unit.slot(CHECK, () => new EarlyCheck(TransferRuntime.of(unit.dataSource), unit.manager));
    const runtime = TransferRuntime.only();
    let check = outside.get(runtime);
    if (!check) outside.set(runtime, (check = new EarlyCheck(runtime, runtime.dataSource.manager)));
    return check;
  }

  /**
   * The files by their ids, with those that came with the call and have no row yet. There may be others in it, which somebody else asked
   * for in the same tick. The ids have to be well-formed.
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
    // After the microtasks that are waiting: pipes of several parameters reach their constraints a few of those apart.
    const tick = new Promise<void>((resolve) => queueMicrotask(() => process.nextTick(resolve)));
    const files = tick.then(() => {
      this.#batch = undefined;
      // Callers of one tick share the statement, so outside of a unit it must not run in the context of one of them.
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
      // Each viewer has separate snapshots, because they say how it sees the file.
      const files = asked.size === 1 ? found : found.filter(({ id }) => ids.has(id)).map((file) => ({ ...file }));
      const actor = await viewer;
      const isShown = ({ ownerType, ownerId }: FileSnapshot): boolean =>
        viewer === undefined || (ownerType === actor?.type && ownerId === actor?.id);
      const others = files.filter((file) => !isShown(file));
      const sights = others.length > 0 ? await this.runtime.sight(actor ?? null, others) : undefined;
      const sightOf = (file: FileSnapshot): Sight => (isShown(file) ? 'shown' : (sights?.get(file.id) ?? 'hidden'));
      seen.set(viewer, new Map(files.map((file) => [file.id, Object.assign(file, { sight: sightOf(file) })])));
    }
    return seen;
  }
}

/** The files that came with the call. */
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
}

/**
 * Why the claim on the file is refused before the handler runs; undefined if it is not. Whether the file of an owner of this very
 * type is the target's own can only be told from the result, so that is left to the transfer; but one that the actor may not see is like
 * one that is not there.
 */
export function earlyRefusal(
  file: (OwnershipState & { readonly sight?: Sight }) | undefined,
  terms: ClaimTerms,
): ClaimRefusal | undefined {
  if (!file) return 'foreign';
  const { actor, isManager, ownerType, allowUnowned } = terms;
  if (file.ownerType === ownerType) return file.sight === 'hidden' && !isManager ? 'foreign' : undefined;
  const isOwn = actor !== null && file.ownerType === actor.type && file.ownerId === actor.id;
  if (!isOwn && !isManager && !(allowUnowned && file.ownerType === null)) return 'foreign';
  return file.pinned ? 'pinned' : undefined;
}
