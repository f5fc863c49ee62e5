import { createReadStream } from 'node:fs';
import { isAbsolute, join, posix, relative, sep } from 'node:path';
import type { INestApplicationContext } from '@nestjs/common';
import { BatchCreations } from '../files/batch-creations.js';
import type { BatchFile } from '../files/batch-creations.js';
import { FilesService } from '../files/files.service.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { TaskQueue } from '../task-queue/task-queue.js';
import { Transactor } from '../unit-of-work/transactor.js';
import type { Answer, CommandRun, OptionValues } from './command.js';
import { InterruptedError, UsageError } from './command.js';
import { inHalves } from './in-halves.js';
import { jsonOf } from './output.js';
import { PathRecords } from './path-records.js';
import type { PathRecord } from './path-records.js';
import { batchIn, countIn, textIn } from './values.js';

/** Makes a file for each path in a column, and writes its id to the field of the record. */
export async function importColumn(
  { app, options, out, signal }: CommandRun,
  directory: string | undefined,
): Promise<Answer> {
  const { dataSource } = app.get(Transactor, { strict: false });
  const records = new PathRecords(dataSource, options);
  const batch = batchIn(options);
  const make = fileMaker(app, options, directory);
  const total = await records.count();
  if (options['dry-run']) {
    await out.result({ records: total }, `${total} records would get a file`);
    return 0;
  }
  const queue = app.get(TaskQueue, { strict: false });
  const files = app.get(FilesService, { strict: false });
  const progress = out.progress('imported', total);
  let failed = 0;
  const stop = (): void => {
    if (!signal.aborted) return;
    progress.end();
    throw new InterruptedError('Interrupted. Run the same command again to go on.');
  };
  /** Creates the files and writes their ids to the rows, in one commit. */
  const give = async (some: readonly PathRecord[]): Promise<void> => {
    stop();
    await queue.run(async () => {
      const ids = (await make(some)).map(({ id }) => id);
      await records.fill(some, ids);
      await files.pin(ids);
    });
    progress.tick(some.length);
  };
  const fail = async ({ key, path }: PathRecord, error: unknown): Promise<void> => {
    failed++;
    const problem = (error as Error).message;
    await out.result({ key, path, problem }, `failed: ${jsonOf(key)} ${path}: ${problem}`);
  };
  for await (const page of records.pages(batch)) await inHalves(page, give, fail);
  progress.end();
  if (failed > 0) out.note(`${failed} records got no file and were not changed`);
  return failed === 0 ? 0 : 1;
}

type FileMaker = (records: readonly PathRecord[]) => Promise<{ id: string }[]>;

function fileMaker(app: INestApplicationContext, options: OptionValues, directory: string | undefined): FileMaker {
  const files = app.get(FilesService, { strict: false });
  const storage = textIn(options, 'storage');
  // An unknown name is refused before any record is read.
  if (storage !== undefined) app.get(StorageRegistry, { strict: false }).get(storage);
  const concurrency = countIn(options, 'concurrency');
  if (directory !== undefined) {
    const creations = app.get(BatchCreations, { strict: false });
    return async (records) => {
      const found = records.map((record) => ({ ...fileOf(record, directory), storage }));
      return creations.create(found, concurrency);
    };
  }
  if (storage === undefined)
    throw new UsageError('Give the DIR of the paths, or --storage for bytes that are already in the storage.');
  return (records) =>
    files.registerAll(
      records.map(({ path, owner }) => ({ location: path, storage, owner })),
      concurrency === undefined ? {} : { concurrency },
    );
}

function fileOf({ path, owner }: PathRecord, directory: string): BatchFile {
  const full = join(directory, path);
  const below = relative(directory, full);
  if (below === '..' || below.startsWith(`..${sep}`) || isAbsolute(below))
    throw new Error(`the path leads out of ${directory}`);
  return { open: () => createReadStream(full), name: posix.basename(path.replaceAll('\\', '/')), owner };
}
