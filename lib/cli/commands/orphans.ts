import type { INestApplicationContext } from '@nestjs/common';
import { FilesAudit } from '../../audit/files-audit.js';
import type { OrphanedBytes } from '../../audit/orphaned-bytes.js';
import { FilesService } from '../../files/files.service.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import { holdOrphans } from '../../files/intents/hold-orphans.js';
import { FilesSweeper } from '../../files/intents/files-sweeper.js';
import { IntentJournal } from '../../files/intents/intent-journal.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.js';
import { type Command, InterruptedError, type OptionValues, UsageError } from '../command.js';
import { inHalves } from '../in-halves.js';
import { inPages } from '../in-pages.js';
import { sizeText } from '../output.js';
import { sweepUntil } from './sweep.js';
import { ageIn, countIn, ownerIn, textIn } from '../values.js';

const PER_PAGE = 500;
// Deadlocks with registrations, which insert the same locations, are tried again this often.
const RETRIES = 5;

export const orphans: Command = {
  name: 'orphans',
  summary: 'Finds bytes in storages that no file refers to; deletes them, or makes files of them',
  example: 'nestjs-files orphans --storage archive --adopt --owner user:42',
  options: {
    storage: {
      kind: 'text',
      value: 'NAME',
      help: 'only in this storage; required with --adopt and --delete where several can list',
    },
    'older-than': { kind: 'text', value: 'AGE', help: 'only bytes that were written before then (1d)' },
    adopt: { kind: 'flag', help: 'make files of them' },
    owner: { kind: 'text', value: 'TYPE:ID', help: 'with --adopt: the owner of the files; without it they have none' },
    delete: { kind: 'flag', help: 'delete them, including bytes of other applications that use the same storage' },
    concurrency: { kind: 'count', help: 'with --adopt: how many are read side by side (4)' },
    'dry-run': { kind: 'flag', help: 'change nothing' },
  },
  async run({ app, options, out, signal }) {
    const act = actOf(app, options);
    const progress = out.progress('looked at');
    let [count, bytes, failed] = [0, 0, 0];
    // What is only told is told at once: a later error, or Ctrl-C, must not lose it.
    const size = act ? PER_PAGE : 1;
    for await (const page of inPages(
      foundBy(app, options, signal, (looked) => progress.reach(looked)),
      size,
    )) {
      assertGoesOn(signal);
      const problems = await act?.(page);
      for (const [at, orphan] of page.entries()) {
        const problem = problems?.[at];
        count++;
        bytes += orphan.size;
        if (problem !== undefined) failed++;
        await out.result({ ...orphan, ...(act && outcomeOf(problem)) }, lineOf(orphan, problem));
      }
    }
    progress.end();
    if (act && options['delete'])
      failed += (await sweepUntil(signal, app.get(FilesSweeper, { strict: false }), out)).failed;
    out.note(noteOf(count, bytes, failed));
    return count === 0 || (act && failed === 0) ? 0 : 1;
  },
};

function assertGoesOn(signal: AbortSignal): void {
  if (signal.aborted) throw new InterruptedError('Interrupted. Run the same command again to go on.');
}

function noteOf(count: number, bytes: number, failed: number): string {
  return `${count} found, ${sizeText(bytes)}${failed > 0 ? `; ${failed} failed` : ''}`;
}

function outcomeOf(problem: string | undefined): { done: boolean; problem: string | null } {
  return { done: problem === undefined, problem: problem ?? null };
}

function lineOf({ storage, location, size, modifiedAt }: OrphanedBytes, problem: string | undefined): string {
  const failure = problem === undefined ? [] : [`failed: ${problem}`];
  return [storage, location, sizeText(size), modifiedAt.toISOString(), ...failure].join('  ');
}

function foundBy(
  app: INestApplicationContext,
  options: OptionValues,
  signal: AbortSignal,
  onProgress: (looked: number) => void,
): AsyncGenerator<OrphanedBytes, void> {
  const [storage, olderThan] = [textIn(options, 'storage'), ageIn(options, 'older-than')];
  const terms = {
    signal,
    onProgress,
    ...(storage !== undefined && { storage }),
    ...(olderThan !== undefined && { olderThan }),
  };
  return app.get(FilesAudit, { strict: false }).orphans(terms);
}

/** Deals with a page of orphans. Returns the problem of each, by its place in the page, or undefined. */
type Act = (orphans: readonly OrphanedBytes[]) => Promise<(string | undefined)[]>;

function actOf(app: INestApplicationContext, options: OptionValues): Act | undefined {
  const { adopt, delete: remove, 'dry-run': isDry } = options;
  if (adopt && remove) throw new UsageError('--adopt and --delete cannot be combined. Use one of them.');
  const owner = ownerIn(options, 'owner');
  if (owner && !adopt) throw new UsageError('--owner goes with --adopt.');
  if (adopt || remove) assertOneStorage(app, options);
  if (isDry) return undefined;
  if (adopt) return adopter(app, owner ?? null, countIn(options, 'concurrency'));
  return remove ? deleter(app) : undefined;
}

/**
 * To other storages than the one that is meant, copies of deleted files are orphans: a backup would lose them, or they
 * would become files again.
 */
function assertOneStorage(app: INestApplicationContext, options: OptionValues): void {
  if (textIn(options, 'storage') !== undefined) return;
  const registry = app.get(StorageRegistry, { strict: false });
  const names = registry.names.filter((name) => registry.get(name).can('list'));
  if (names.length > 1)
    throw new UsageError(
      `Give --storage with --adopt or --delete, one of ${names.join(', ')}: the copies in a backup of files that were deleted are orphans, too.`,
    );
}

function adopter(app: INestApplicationContext, owner: OwnerReference | null, concurrency?: number): Act {
  const files = app.get(FilesService, { strict: false });
  return async (page) => {
    const problems = new Map<OrphanedBytes, string>();
    await inHalves(
      page,
      async (some) =>
        void (await files.registerAll(
          some.map(({ storage, location }) => ({ storage, location, owner })),
          concurrency === undefined ? {} : { concurrency },
        )),
      async (orphan, error) => void problems.set(orphan, (error as Error).message),
    );
    return page.map((orphan) => problems.get(orphan));
  };
}

/**
 * Leaves intents, which the sweeper carries out. So nobody can create a file from the bytes meanwhile, and after a
 * crash the removal continues.
 */
function deleter(app: INestApplicationContext): Act {
  const transactor = app.get(Transactor, { strict: false });
  const journal = app.get(IntentJournal, { strict: false });
  const registry = app.get(StorageRegistry, { strict: false });
  return async (page) => {
    const places = page.map(({ storage: name, location }) => ({ storage: registry.get(name), location }));
    const removable = places.filter(({ storage }) => storage.can('remove'));
    const work = async ({ manager }: UnitOfWork) => {
      const held = await holdOrphans(manager, removable);
      await journal.announceRemovals(manager, [...held]);
      return held;
    };
    const held = await transactor.run(work, { retry: RETRIES });
    return places.map((place) => {
      if (!place.storage.can('remove')) return 'its storage cannot remove';
      return held.has(place) ? undefined : 'a file refers to it now';
    });
  };
}
