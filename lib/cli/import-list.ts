import type { INestApplicationContext } from '@nestjs/common';
import { FilesService } from '../files/files.service.js';
import type { ManagedFile } from '../files/managed-file.entity.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { TaskQueue } from '../task-queue/task-queue.js';
import type { Answer, CommandRun } from './command.js';
import { importMissing } from './import-missing.js';
import { listedFiles } from './listed-files.js';
import type { ListedFile } from './listed-files.js';
import { countIn, requiredIn } from './values.js';

/**
 * Creates files from a list, for bytes that are in a storage. Files that an earlier run created are reported again,
 * with their ids.
 */
export async function importList(run: CommandRun): Promise<Answer> {
  const { app, options } = run;
  const [list, storage] = [requiredIn(options, 'list'), requiredIn(options, 'storage')];
  app.get(StorageRegistry, { strict: false }).get(storage);
  const concurrency = countIn(options, 'concurrency');
  const make = (some: readonly ListedFile[]): Promise<ManagedFile[]> => register(app, storage, some, concurrency);
  return importMissing(run, listedFiles(list), { storage, make });
}

/** Creates the files in one commit. */
function register(
  app: INestApplicationContext,
  storage: string,
  listed: readonly ListedFile[],
  concurrency: number | undefined,
): Promise<ManagedFile[]> {
  const files = app.get(FilesService, { strict: false });
  const existing = listed.map(({ location, name, contentType, owner }) => ({
    location,
    storage,
    owner,
    ...(name !== undefined && { name }),
    ...(contentType !== undefined && { contentType }),
  }));
  return app.get(TaskQueue, { strict: false }).run(async () => {
    const made = await files.registerAll(existing, concurrency === undefined ? {} : { concurrency });
    for (const [at, { size }] of made.entries()) {
      const said = listed[at]?.size;
      if (said !== undefined && said !== size)
        throw new Error(`the list says ${said} bytes, but the storage has ${size}`);
    }
    await files.pin(made.flatMap(({ id }, at) => (listed[at]?.pinned ? id : [])));
    return made;
  });
}
