import { In } from 'typeorm';
import { ManagedFile } from '../files/managed-file.entity.js';
import { locationKey } from '../storage/location-key.js';
import { Transactor } from '../unit-of-work/transactor.js';
import type { Answer, CommandRun } from './command.js';
import { InterruptedError } from './command.js';
import { inHalves } from './in-halves.js';
import { batchIn } from './values.js';

/** What is to be a file at a location. */
export interface Incoming {
  readonly location: string;
  /** Its id in the system that it comes from, if there is one. */
  readonly oldId?: string | null;
}

/** A line that tells of no file. */
export interface BadLine {
  readonly line: number;
  readonly problem: string;
}

export interface ImportTerms<T extends Incoming> {
  /** The name of the storage that has the locations. */
  readonly storage: string;
  readonly total?: number;
  /** Makes files of all of them in one commit, or of none. */
  readonly make: (some: readonly T[]) => Promise<readonly { id: string }[]>;
  /** Rejects where a dry run can tell, without reading bytes, that `make` would. */
  readonly check: (one: T) => Promise<void>;
}

/**
 * Makes the files that are missing, `--batch` of them in one commit, and tells the ids of all. So a second run goes on
 * where the first one has ended. What cannot become a file is told, and holds up no other.
 */
export async function importMissing<T extends Incoming>(
  { app, options, out, signal }: CommandRun,
  incoming: AsyncIterable<T | BadLine>,
  { storage, total, make, check }: ImportTerms<T>,
): Promise<Answer> {
  const { dataSource } = app.get(Transactor, { strict: false });
  const size = batchIn(options);
  const isDry = options['dry-run'] === true;
  const progress = out.progress(isDry ? 'read' : 'imported', total);
  let failed = 0;
  const fail = async (told: object, text: string): Promise<void> => {
    failed++;
    await out.result(told, `failed: ${text}`);
  };
  const tell = async ({ oldId: old, location }: T, id: string | null, isNew: boolean): Promise<void> => {
    await out.result({ old, id, location, new: isNew }, `${old ?? location}  ${id ?? '(new)'}`);
    progress.tick();
  };
  const stop = (): void => {
    if (!signal.aborted) return;
    progress.end();
    throw new InterruptedError('Interrupted. Run the same command again to go on.');
  };
  const importAll = async (some: readonly T[]): Promise<void> => {
    stop();
    const known = await knownIn(dataSource, storage, some);
    for (const one of some) {
      const id = known.get(one.location);
      if (id !== undefined) await tell(one, id, false);
    }
    const missing = some.filter(({ location }) => !known.has(location));
    const refuse = ({ oldId: old, location }: T, error: unknown): Promise<void> => {
      const problem = (error as Error).message;
      return fail({ old, location, problem }, `${location}: ${problem}`);
    };
    const preview = async (one: T): Promise<void> => {
      stop();
      await check(one);
      await tell(one, null, true);
    };
    const makeAll = async (half: readonly T[]): Promise<void> => {
      stop();
      const made = await make(half);
      for (const [at, one] of half.entries()) await tell(one, made[at]?.id ?? null, true);
    };
    if (isDry) for (const one of missing) await inHalves([one], () => preview(one), refuse);
    else await inHalves(missing, makeAll, refuse);
  };
  let batch: T[] = [];
  for await (const one of incoming) {
    if ('problem' in one) {
      await fail(one, `line ${one.line}: ${one.problem}`);
      continue;
    }
    batch.push(one);
    if (batch.length < size) continue;
    await importAll(batch);
    batch = [];
  }
  await importAll(batch);
  progress.end();
  if (failed > 0) out.note(`${failed} ${isDry ? 'would' : 'did'} not become files`);
  return failed === 0 ? 0 : 1;
}

/** The ids of files that exist, by their location. One statement. */
async function knownIn(
  dataSource: Transactor['dataSource'],
  storage: string,
  some: readonly Incoming[],
): Promise<Map<string, string>> {
  if (some.length === 0) return new Map();
  const rows = await dataSource.getRepository(ManagedFile).find({
    select: { id: true, location: true },
    where: { storage, locationKey: In(some.map(({ location }) => locationKey(location))) },
  });
  return new Map(rows.map(({ id, location }) => [location, id]));
}
