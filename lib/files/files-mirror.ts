import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { Injectable } from '@nestjs/common';
import { FileCorruptError } from '../errors/files.errors.js';
import { LocationNotFoundError, LocationTakenError } from '../errors/storage.errors.js';
import type { Storage } from '../storage/storage.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { detach } from '../unit-of-work/scopes/ambient.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { paceOf, readBulkOptions } from './bulk-options.js';
import type { BulkOptions } from './bulk-options.js';
import type { Pace } from './content/pace.js';
import { inLanes } from '../storage/in-lanes.js';
import type { ManagedFile } from './managed-file.entity.js';
import { eachFile, searchWithin } from './search/each-file.js';

/** The options of a run of copies. */
export interface MirrorOptions extends BulkOptions {
  /** Reads copies that are there already, and compares their hash. @default false: their size is compared */
  deep?: boolean;
}

/** A file whose bytes are in the other storage, too. */
export interface MirroredFile {
  /** `present`: its bytes were there already. */
  readonly kind: 'copied' | 'present';
  /** Its row, which has not changed. */
  readonly file: ManagedFile;
}

/** A file whose bytes could not be copied. */
export interface UnmirroredFile {
  /** Tells it from the others. */
  readonly kind: 'failed';
  /** Its row. */
  readonly file: ManagedFile;
  /** Why its bytes could not be copied, or that the bytes there are others. */
  readonly error: unknown;
}

/** What became of one file. */
export type MirrorOutcome = MirroredFile | UnmirroredFile;

type MirrorRun = MirrorOptions & { concurrency: number; isDry: boolean };

const FILES_PER_STEP = 100;

/** Copies the bytes of files to the same locations of another storage, such as one for backups. Rows do not change. */
@Injectable()
export class FilesMirror {
  /** @internal */
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
  ) {}

  /**
   * Copies the bytes of each file, verified by their hash, and yields its outcome. Bytes that are in the other storage
   * already are left as they are. Infected files whose bytes were removed are left out. If a run ends early, the next
   * one goes on. Throws `MoveOptionInvalidError`, `SearchQueryInvalidError` for the filters, and
   * `CapabilityMissingError` where the first storage cannot read, or the other cannot read, write and stat.
   * @example
   * for await (const outcome of mirror.run({ from: 'disk', to: 'backup' }))
   *   if (outcome.kind === 'failed') console.error(outcome.error);
   */
  run(options: MirrorOptions): AsyncGenerator<MirrorOutcome, void> {
    return this.#begin(options, false);
  }

  /**
   * As `run()`, but copies nothing: the outcomes that it would have, as far as they can be told without reading files.
   * @internal
   */
  preview(options: MirrorOptions): AsyncGenerator<MirrorOutcome, void> {
    return this.#begin(options, true);
  }

  #begin(options: MirrorOptions, isDry: boolean): AsyncGenerator<MirrorOutcome, void> {
    const { from, to, filters, concurrency } = readBulkOptions(options);
    this.storages.get(from).require('read');
    this.storages.get(to).require('read', 'write', 'stat');
    // A wrong filter is found before the loop begins.
    searchWithin(this.transactor.dataSource, { storage: from }, filters);
    return this.#run({ ...options, concurrency, isDry });
  }

  async *#run(options: MirrorRun): AsyncGenerator<MirrorOutcome, void> {
    const { from, filters, concurrency, signal } = options;
    const pace = paceOf(options);
    let step: ManagedFile[] = [];
    const copyAll = async () => {
      const outcomes = await inLanes(step, concurrency, async (file) =>
        signal?.aborted ? undefined : this.#outcome(file, options, pace),
      );
      step = [];
      return outcomes.filter((outcome) => outcome !== undefined);
    };
    for await (const file of eachFile(this.transactor.dataSource, { storage: from }, filters)) {
      signal?.throwIfAborted();
      step.push(file);
      if (step.length === FILES_PER_STEP) yield* await copyAll();
    }
    yield* await copyAll();
    signal?.throwIfAborted();
  }

  /** Undefined if there are no bytes any more, because they were infected. Never rejects. */
  async #outcome(file: ManagedFile, options: MirrorRun, pace: Pace | undefined): Promise<MirrorOutcome | undefined> {
    try {
      return { kind: await detach(() => this.#copy(file, options, pace)), file };
    } catch (error) {
      if (file.scan === 'infected' && error instanceof LocationNotFoundError) return undefined;
      return { kind: 'failed', file, error };
    }
  }

  async #copy(
    file: ManagedFile,
    { to: name, deep = false, isDry }: MirrorRun,
    pace: Pace | undefined,
  ): Promise<'copied' | 'present'> {
    const { location, size } = file;
    const to = this.storages.get(name);
    const found = await to.stat(location);
    if (found) {
      if (found.size !== size) throw new LocationTakenError(location, name);
      if (deep) await assertSame(await to.read(location), file, to);
      return 'present';
    }
    const from = this.storages.of(file);
    if (isDry) {
      if (from.can('stat') && !(await from.exists(location))) throw new LocationNotFoundError(location, from.name);
      return 'copied';
    }
    const source = await from.read(location);
    const content = Readable.from(verified(pace?.through(source) ?? source, file, from), { objectMode: false });
    try {
      await to.write(location, content);
      return 'copied';
    } finally {
      source.destroy();
    }
  }
}

/** The bytes; fails before their end where they are not the file's, so that nothing is stored. */
async function* verified(
  source: Readable,
  { id, size, hash, hashAlgorithm }: ManagedFile,
  { name }: Storage,
): AsyncGenerator<Buffer, void> {
  const digest = createHash(hashAlgorithm);
  let bytes = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    digest.update(chunk);
    yield chunk;
  }
  if (bytes !== size || digest.digest('hex') !== hash) throw new FileCorruptError(id, name);
}

async function assertSame(source: Readable, file: ManagedFile, storage: Storage): Promise<void> {
  const content = Readable.from(verified(source, file, storage));
  try {
    await finished(content.resume());
  } finally {
    source.destroy();
  }
}
