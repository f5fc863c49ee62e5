import type { ManagedFile } from '../files/managed-file.entity.js';
import type { FileFilter } from '../files/search/file-filter.js';
import { FileSearch } from '../files/search/file-search.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { InterruptedError } from './command.js';
import type { CommandRun } from './command.js';
import type { Output } from './output.js';
import type { Progress } from './progress.js';
import { betweenStorages, filterOf } from './values.js';

type Outcome<Kind> =
  | { readonly kind: Kind; readonly file: ManagedFile }
  | { readonly kind: 'failed'; readonly file: ManagedFile; readonly error: unknown };

/** The files to take from one storage to the other, and how fast. */
type Terms = ReturnType<typeof betweenStorages> & { filters: FileFilter; signal: AbortSignal };

/** What the command does, and what a dry run shows of it; without `preview` it only counts the files. */
interface Work<Kind> {
  readonly begin: (terms: Terms) => AsyncIterable<Outcome<Kind>>;
  readonly preview?: (terms: Terms) => AsyncIterable<Outcome<Kind>>;
}

/**
 * Runs a command that takes the bytes of files from one storage to another, and writes a line for each that fails.
 * Resolves with how many files came to each outcome. `done` is the outcome that the command is for, and the word for
 * it. A dry run refuses the same options.
 */
export async function runBetween<Kind extends string>(
  { app, options, out, signal }: CommandRun,
  done: Kind,
  { begin, preview }: Work<Kind>,
): Promise<ReadonlyMap<string, number>> {
  const limits = betweenStorages(options);
  const { from, to } = limits;
  const filters = filterOf(options);
  const isDry = options['dry-run'] === true;
  const outcomes = (isDry && preview ? preview : begin)({ ...limits, filters, signal });
  const { dataSource } = app.get(Transactor, { strict: false });
  const total = await new FileSearch(dataSource, { filters }, { storage: from }).count();
  const counts =
    isDry && !preview
      ? new Map<string, number>([[done, total]])
      : await countOutcomes(out, outcomes, out.progress(isDry ? 'looked at' : done, total), signal);
  const files = counts.get(done) ?? 0;
  if (isDry) await out.result({ from, to, files }, `${files} files would be ${done} from ${from} to ${to}`);
  return counts;
}

async function countOutcomes(
  out: Output,
  outcomes: AsyncIterable<Outcome<string>>,
  progress: Progress,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  try {
    for await (const outcome of outcomes) {
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
