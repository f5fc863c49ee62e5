import type { ManagedFile } from '../files/managed-file.entity.js';
import type { FileFilter } from '../files/search/file-filter.js';
import { FileSearch } from '../files/search/file-search.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { InterruptedError } from './command.js';
import type { CommandRun } from './command.js';
import { betweenStorages, filterOf } from './values.js';

type Outcome<Kind> =
  | { readonly kind: Kind; readonly file: ManagedFile }
  | { readonly kind: 'failed'; readonly file: ManagedFile; readonly error: unknown };

/** The files to take from one storage to the other, and how fast. */
type Terms = ReturnType<typeof betweenStorages> & { filters: FileFilter; signal: AbortSignal };

/**
 * Runs a command that takes the bytes of files from one storage to another, and writes a line for each that fails.
 * Resolves with how many files came to each outcome; `undefined` for a dry run, which only counts them. `done` is the
 * word for what is done to a file.
 */
export async function runBetween<Kind extends string>(
  { app, options, out, signal }: CommandRun,
  done: string,
  begin: (terms: Terms) => AsyncIterable<Outcome<Kind>>,
): Promise<ReadonlyMap<string, number> | undefined> {
  const limits = betweenStorages(options);
  const { from, to } = limits;
  const filters = filterOf(options);
  const registry = app.get(StorageRegistry, { strict: false });
  for (const name of [from, to]) registry.get(name);
  const { dataSource } = app.get(Transactor, { strict: false });
  const total = await new FileSearch(dataSource, { filters }, { storage: from }).count();
  if (options['dry-run']) {
    await out.result({ from, to, files: total }, `${total} files would be ${done} from ${from} to ${to}`);
    return undefined;
  }
  const progress = out.progress(done, total);
  const counts = new Map<string, number>();
  try {
    for await (const outcome of begin({ ...limits, filters, signal })) {
      counts.set(outcome.kind, (counts.get(outcome.kind) ?? 0) + 1);
      if (!('error' in outcome)) {
        progress.tick();
        continue;
      }
      const { id, name } = outcome.file;
      const problem = String(outcome.error);
      await out.result({ kind: outcome.kind, id, name, problem }, `failed: ${id} ${name}: ${problem}`);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  progress.end();
  if (signal.aborted) throw new InterruptedError('Interrupted. Run the same command again to go on.');
  return counts;
}
