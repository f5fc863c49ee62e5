import { Injectable, Optional } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { locationKey } from '../storage/location-key.js';
import type { Storage } from '../storage/storage.js';
import { tableNames } from '../unit-of-work/typeorm/table-names.js';
import { dataSourceOf } from '../unit-of-work/typeorm/data-source.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import { ContentCopies } from './content/content-copies.js';
import type { Copied, CopyTerms, Uncopied } from './content/content-copies.js';
import { ContentStore } from './content/content-store.js';
import type { NewContent } from './content/content-store.js';
import { isDerived } from './derived/derived-rows.js';
import { lockFiles } from './lock-files.js';
import { ManagedFile } from './managed-file.entity.js';
import { scanOfCopy } from './scan/scan-state.js';
import type { ScanFields } from './scan/scan-state.js';
import { StoredHooks } from './stored/stored-hooks.js';

/** What became of a batch. Files of neither list were left as they were, because the run was ended. */
export interface MovedBatch {
  readonly moved: readonly ManagedFile[];
  /** Their bytes could not be copied; nothing of them is in the other storage. */
  readonly uncopied: readonly Uncopied[];
  /** They were moved, replaced or deleted since they were read. */
  readonly changed: readonly ManagedFile[];
}

/**
 * Moves several files with the statements of one: their intents, their rows and the end of their old bytes are written
 * together.
 */
@Injectable()
export class BatchMoves {
  constructor(
    private readonly contents: ContentStore,
    private readonly copies: ContentCopies,
    @Optional() private readonly hooks?: StoredHooks,
  ) {}

  /**
   * Moves files of one storage to another one, in one commit. Once the signal is aborted, no further file is copied,
   * and those that were copied are moved. Throws if the commit fails: then all of them are where they were.
   */
  async move(files: readonly ManagedFile[], to: Storage, terms: CopyTerms): Promise<MovedBatch> {
    const { copied, uncopied } = await this.copies.copy(files, () => to, terms);
    const { moved, changed } = await this.#refer(copied, to);
    return { moved, uncopied, changed };
  }

  async #refer(copies: readonly Copied[], to: Storage): Promise<Pick<MovedBatch, 'moved' | 'changed'>> {
    if (copies.length === 0) return { moved: [], changed: [] };
    const [kept, lost]: [Copied[], Copied[]] = [[], []];
    const contents = copies.map(({ content }) => content);
    const moved = await this.contents.keepAll(contents, async (unit) => {
      for (const list of [kept, lost]) list.length = 0;
      const locked = await lockAll(
        unit.manager,
        copies.map(({ file }) => file),
      );
      const current = new Map(locked.map((file) => [file.id, file]));
      for (const copy of copies) (isSame(copy.file, current.get(copy.file.id)) ? kept : lost).push(copy);
      const rows = kept.map(({ file }) => current.get(file.id) as ManagedFile);
      // The scan states come from the locked rows, because a scan may have ended while the bytes were copied.
      const values = kept.map(({ content }, at) => {
        const row = rows[at] as ManagedFile;
        return valuesOf(content, scanOfCopy(row, this.contents.storages.scannerFor(to.name, row.ownerType)));
      });
      await this.#write(unit, rows, kept, values);
      const referring = rows.map((row, at) => Object.assign(row, values[at]));
      for (const row of referring) this.hooks?.scan(row);
      return referring;
    });
    await this.contents.discardAll(lost.map(({ content }) => content));
    return { moved, changed: lost.map(({ file }) => file) };
  }

  async #write(
    unit: UnitOfWork,
    rows: readonly ManagedFile[],
    copies: readonly Copied[],
    values: readonly Values[],
  ): Promise<void> {
    if (copies.length === 0) return;
    await this.contents.attachAll(
      unit,
      copies.map(({ content }) => content),
    );
    await referAll(unit.manager, rows, values);
    await this.contents.remove(unit, rows);
  }
}

/** Originals are locked before derived files, as whoever deletes both does: otherwise the two could deadlock. */
async function lockAll(manager: EntityManager, files: readonly ManagedFile[]): Promise<ManagedFile[]> {
  const originals = files.filter((file) => !isDerived(file));
  const locked: ManagedFile[] = [];
  for (const some of [originals, files.filter(isDerived)]) {
    const ids = some.map(({ id }) => id);
    if (ids.length > 0) locked.push(...(await lockFiles(manager, ids)));
  }
  return locked;
}

function isSame({ storage, location }: ManagedFile, current: ManagedFile | undefined): boolean {
  return current?.storage === storage && current.location === location;
}

/** Their size is the same as before: the copy was compared with it. */
const COLUMNS = [
  'storage',
  'location',
  'locationKey',
  'contentType',
  'charset',
  'hash',
  'hashAlgorithm',
  'scan',
  'scanner',
  'finding',
] as const;

type Values = Pick<ManagedFile, (typeof COLUMNS)[number]> & { storageData: null };

function valuesOf(
  { storage, location, contentType, charset, hash, hashAlgorithm }: NewContent,
  safety: ScanFields,
): Values {
  const bytes = { storage, location, locationKey: locationKey(location), contentType, charset, hash, hashAlgorithm };
  return { ...bytes, ...safety, storageData: null };
}

/** Makes the rows refer to the copies: one statement. */
async function referAll(
  manager: EntityManager,
  rows: readonly ManagedFile[],
  values: readonly Values[],
): Promise<void> {
  const names = tableNames<ManagedFile>(dataSourceOf(manager), ManagedFile);
  const [first] = values as [Values];
  // What a row has already is not sent again: the copies have the same hashes, as a rule.
  const changed = COLUMNS.filter((column) => values.some((value, at) => value[column] !== rows[at]?.[column]));
  const own = changed.filter((column) => values.some((value) => value[column] !== first[column]));
  const shared = Object.fromEntries(changed.map((column) => [column, first[column]]));
  const parameters: Record<string, unknown> = {};
  for (const [at, { id }] of rows.entries()) {
    parameters[`id${at}`] = id;
    for (const column of own) parameters[`${column}${at}`] = values[at]?.[column];
  }
  const choose = (column: (typeof COLUMNS)[number]) => () => {
    const cases = values.map((_, at) => `WHEN :id${at} THEN :${column}${at}`);
    return `CASE ${names.column('id')} ${cases.join(' ')} END`;
  };
  const chosen = Object.fromEntries(own.map((column) => [column, choose(column)]));
  await manager
    .createQueryBuilder()
    .update(ManagedFile)
    .set({ ...shared, ...chosen, storageData: null })
    .whereInIds(rows.map(({ id }) => id))
    .setParameters(own.length === 0 ? {} : parameters)
    .updateEntity(false)
    .execute();
}
