import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { BatchCreations } from '../files/batch-creations.js';
import { DEFAULT_STORAGE } from '../files/file-writer.js';
import type { OwnerReference } from '../files/owner-reference.js';
import { walk } from '../storage/adapters/fs-walk.js';
import { inLanes } from '../storage/in-lanes.js';
import type { Storage } from '../storage/storage.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import type { Answer, CommandRun, OptionValues } from './command.js';
import { UsageError } from './command.js';
import { importMissing } from './import-missing.js';
import { countIn, ownerIn, textIn } from './values.js';

const CONCURRENCY = 4;

/** A file below the directory. Its location in the storage is its path relative to the directory. */
interface Found {
  readonly location: string;
  readonly path: string;
}

/**
 * Copies the files below a directory to the same locations of a storage. A second run recognizes the files of the first
 * run by their locations.
 */
export async function importDirectory(run: CommandRun, directory: string): Promise<Answer> {
  const { app, options } = run;
  const ownerOf = ownersIn(options);
  const storage = storageOf(app, options);
  storage.require('write');
  const found = await stat(directory).catch((cause: Error) => {
    throw new UsageError(`DIR: ${cause.message}`, { cause });
  });
  if (!found.isDirectory()) throw new UsageError(`DIR is "${directory}", which is not a directory.`);
  const concurrency = countIn(options, 'concurrency') ?? CONCURRENCY;
  const creations = app.get(BatchCreations, { strict: false });
  const make = async (some: readonly Found[]) => {
    await inLanes(some, concurrency, (one) => assertFree(storage, one));
    const files = some.map(({ location, path }) => ({
      open: () => createReadStream(path),
      name: location.slice(location.lastIndexOf('/') + 1),
      storage: storage.name,
      location,
      owner: ownerOf(location),
    }));
    return creations.create(files, concurrency);
  };
  let total = 0;
  for await (const _ of walk(directory)) total++;
  const check = async (one: Found): Promise<void> => {
    storage.assertLocation(one.location);
    await assertFree(storage, one);
    const { size } = await stat(one.path);
    const { maxSize = Infinity } = storage;
    if (size > maxSize) throw new Error(`it has ${size} bytes, and the storage takes ${maxSize}`);
  };
  return importMissing(run, walk(directory), { storage: storage.name, total, make, check });
}

function storageOf(app: INestApplicationContext, options: OptionValues): Storage {
  const name = textIn(options, 'storage') ?? app.get<string>(DEFAULT_STORAGE, { strict: false });
  return app.get(StorageRegistry, { strict: false }).get(name);
}

/** Returns a function that gives the owner of the file at a location. */
function ownersIn(options: OptionValues): (location: string) => OwnerReference | null {
  const owner = ownerIn(options, 'owner') ?? null;
  const type = textIn(options, 'owner-by-folder');
  if (type === undefined) return () => owner;
  if (owner) throw new UsageError('--owner and --owner-by-folder cannot be combined. Use one of them.');
  return (location) => {
    const [id = '', ...rest] = location.split('/');
    return rest.length === 0 ? null : { type, id };
  };
}

/**
 * After a crash, the sweeper removes the bytes at a location that has an intent. So a location with other bytes must
 * not get an intent.
 */
async function assertFree(storage: Storage, { location }: Found): Promise<void> {
  if (storage.can('stat') && (await storage.exists(location)))
    throw new Error(`storage "${storage.name}" has bytes at this location that belong to no file`);
}
