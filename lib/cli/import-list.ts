import type { INestApplicationContext } from '@nestjs/common';
import { LocationNotFoundError } from '../errors/storage.errors.js';
import { FilesService } from '../files/files.service.js';
import type { ManagedFile } from '../files/managed-file.entity.js';
import type { Storage } from '../storage/storage.js';
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
  const place = app.get(StorageRegistry, { strict: false }).get(storage);
  place.require('read');
  const concurrency = countIn(options, 'concurrency');
  const make = (some: readonly ListedFile[]): Promise<ManagedFile[]> => register(app, storage, some, concurrency);
  return importMissing(run, listedFiles(list), { storage, make, check: (one) => assertThere(place, one) });
}

/** Where the storage can tell: that it has the bytes, and as many as the list says. */
async function assertThere(storage: Storage, { location, size: said }: ListedFile): Promise<void> {
  storage.assertLocation(location);
  if (!storage.can('stat')) return;
  const found = await storage.stat(location);
  if (!found) throw new LocationNotFoundError(location, storage.name);
  if (said !== undefined && said !== found.size) throw sizeDiffers(said, found.size);
}

function sizeDiffers(said: number, found: number): Error {
  return new Error(`the list says ${said} bytes, but the storage has ${found}`);
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
      if (said !== undefined && said !== size) throw sizeDiffers(said, size);
    }
    await files.pin(made.flatMap(({ id }, at) => (listed[at]?.pinned ? id : [])));
    return made;
  });
}
