import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { DerivedFileMissingError, FileChangedError } from '../../errors/files.errors.js';
import { TaskQueue } from '../../task-queue/task-queue.js';
import { hasSnapshot } from '../../unit-of-work/scopes/sees-every-commit.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { dialectOf } from '../../unit-of-work/dialects/dialect-of.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.js';
import { ContentStore } from '../content/content-store.js';
import { deleteFileRows } from '../delete-file-rows.js';
import type { ManagedFile } from '../managed-file.entity.js';
import { assertReadable, isReadable } from '../scan/scan-state.js';
import { DerivedRecipes } from './derived-recipes.js';
import {
  contentTime,
  derivedOf,
  isEmptyStandIn,
  isOfContent,
  lockDerivedOf,
  unlockedDerivedOf,
} from './derived-rows.js';

/** The payload of the job. It is about the content that the file has when the job runs. */
export interface DerivePayload {
  readonly fileId: string;
  /** Derives the file even if it was derived already. */
  readonly again?: boolean;
}

// So often at most a job is queued, whoever asks: the last one may still wait, or wait for its next attempt. It counts
// from the moment at which the file got its content, so that those who ask first do not repeat the job that this has
// queued.
const ONCE_IN = 300_000;

/**
 * Files that are derived from others by `@DerivedFile()`, without access checks: they follow the access to their
 * originals.
 */
@Injectable()
export class DerivedFiles {
  /** @internal */
  constructor(
    private readonly recipes: DerivedRecipes,
    private readonly queue: TaskQueue,
    private readonly transactor: Transactor,
    private readonly contents: ContentStore,
  ) {}

  /**
   * Whether the application derives files.
   * @internal
   */
  get areAny(): boolean {
    return this.recipes.areAny;
  }

  /**
   * What was derived from the present content of the file: `await derived.find(file, 'thumbnail')`. Undefined if
   * nothing was, or not yet, or if it could not be made. One statement.
   */
  async find(original: ManagedFile, kind: string): Promise<ManagedFile | undefined> {
    const found = await this.of(original, kind);
    return found && !isEmptyStandIn(found) ? found : undefined;
  }

  /**
   * As `find()`, and queues the derivation if there is nothing yet: then, and while its own scan is pending, it is
   * undefined. Throws `DerivedFileMissingError` if nothing of this kind can be made of the file, and what a download of
   * the file itself throws if that is not clean.
   */
  async request(original: ManagedFile, kind: string): Promise<ManagedFile | undefined> {
    const recipe = this.recipes.find(kind);
    if (!recipe?.takes(original)) throw new DerivedFileMissingError(original.id, kind, 'unsuitable');
    assertReadable(original);
    const found = await this.of(original, kind);
    if (found && isEmptyStandIn(found)) throw new DerivedFileMissingError(original.id, kind, 'failed');
    if (found) return found.scan === 'pending' ? undefined : found;
    await this.queue.run(() => this.queue.enqueue(recipe.job, { fileId: original.id }, { key: keyOf(original) }));
    return undefined;
  }

  /**
   * Queues the derivation again, such as after a failure or a change of the method. Until it has ended well, what was
   * derived before stands. Throws `DerivedFileMissingError` if nothing of this kind is derived from the file.
   */
  async remake(original: ManagedFile, kind: string): Promise<void> {
    const recipe = this.recipes.find(kind);
    if (!recipe?.takes(original)) throw new DerivedFileMissingError(original.id, kind, 'unsuitable');
    const payload: DerivePayload = { fileId: original.id, again: true };
    await this.queue.run(() => this.queue.enqueue(recipe.job, payload));
  }

  /**
   * Queues all that is derived from the file, in the unit of work that has given it readable content. Nothing for
   * content that is not clean. `again` where it may have been derived before, and be lost.
   * @internal
   */
  queueFor(file: ManagedFile, { again = false } = {}): void {
    if (!this.recipes.areAny || !isReadable(file)) return;
    const options = again ? {} : { key: keyOf(file) };
    for (const recipe of this.recipes.all)
      if (recipe.takes(file)) this.queue.enqueue(recipe.job, { fileId: file.id } satisfies DerivePayload, options);
  }

  /**
   * The derived files of originals that this transaction has locked, locked, too. None, without a statement, where
   * nothing is derived. Throws `FileChangedError` on PostgreSQL if some were made after the snapshot of the
   * transaction.
   * @internal
   */
  async lockOf(manager: EntityManager, ids: readonly string[]): Promise<ManagedFile[]> {
    if (!this.recipes.areAny) return [];
    const found = await lockDerivedOf(manager, ids);
    if (!dialectOf(dataSourceOf(manager)).locksLatest && (await hasSnapshot(manager))) {
      const unseen = await unlockedDerivedOf(await this.contents.beside(), ids);
      if (unseen.length > 0) throw new FileChangedError(unseen);
    }
    return found;
  }

  /**
   * Deletes what was derived from the original, which this unit has locked.
   * @internal
   */
  async removeOf(unit: UnitOfWork, id: string): Promise<void> {
    await this.remove(unit, await this.lockOf(unit.manager, [id]));
  }

  /**
   * Deletes derived files that this unit has locked: rows now, bytes after the commit. They have no history, and count
   * for no quota.
   * @internal
   */
  async remove(unit: UnitOfWork, files: readonly ManagedFile[]): Promise<void> {
    if (files.length === 0) return;
    await this.contents.remove(unit, files);
    await deleteFileRows(
      unit.manager,
      files.map(({ id }) => id),
    );
  }

  /**
   * As `find()`, but also what stands for a failure.
   * @internal
   */
  async of(original: ManagedFile, kind: string): Promise<ManagedFile | undefined> {
    const files = await derivedOf(this.transactor.dataSource.manager, [original.id]);
    return files.find((file) => file.ownerField === kind && isOfContent(file, original));
  }
}

function keyOf(original: ManagedFile): string {
  const since = contentTime(original);
  return `${original.id} ${since} ${Math.max(0, Math.floor((Date.now() - since) / ONCE_IN))}`;
}
