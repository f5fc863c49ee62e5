import type { INestApplicationContext } from '@nestjs/common';
import { In } from 'typeorm';
import { FilesService } from '../files/files.service.js';
import { ManagedFile } from '../files/managed-file.entity.js';
import { locationKey } from '../storage/location-key.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { TaskQueue } from '../task-queue/task-queue.js';
import { Transactor } from '../unit-of-work/transactor.js';
import type { Answer, CommandRun } from './command.js';
import { InterruptedError, UsageError } from './command.js';
import { inHalves } from './in-halves.js';
import { listedFiles } from './listed-files.js';
import type { ListedFile } from './listed-files.js';
import { countIn, requiredIn } from './values.js';

const LINES_AT_ONCE = 100;
const COLUMN_OPTIONS = ['entity', 'column', 'field', 'directory'];

/** Makes files of bytes that are in a storage, as a list says. Files that were made by an earlier run are told again, with their ids. */
export async function importList({ app, options, out, signal }: CommandRun): Promise<Answer> {
  const other = COLUMN_OPTIONS.find((name) => options[name] !== undefined);
  if (other !== undefined) throw new UsageError(`--list and --${other} exclude each other.`);
  const [list, storage] = [requiredIn(options, 'list'), requiredIn(options, 'storage')];
  app.get(StorageRegistry, { strict: false }).get(storage);
  const registrar = new Registrar(app, storage, countIn(options, 'concurrency'));
  const isDry = options['dry-run'] === true;
  const progress = out.progress(isDry ? 'read' : 'imported');
  let failed = 0;
  const fail = async (told: object, text: string): Promise<void> => {
    failed++;
    progress.clear();
    await out.result(told, `failed: ${text}`);
  };
  const importAll = async (files: readonly ListedFile[]): Promise<void> => {
    if (signal.aborted) {
      progress.end();
      throw new InterruptedError('Interrupted. Run the same command again to go on.');
    }
    const known = await registrar.known(files);
    const tell = async ({ oldId: old, location }: ListedFile, id: string | null, isNew: boolean): Promise<void> => {
      progress.tick();
      await out.result({ old, id, location, new: isNew }, `${old ?? location}  ${id ?? '(new)'}`);
    };
    for (const file of files) {
      const id = known.get(file.location);
      if (id !== undefined || isDry) await tell(file, id ?? null, id === undefined);
    }
    if (isDry) return;
    const missing = files.filter(({ location }) => !known.has(location));
    await inHalves(
      missing,
      async (some) => {
        const made = await registrar.register(some);
        for (const [at, file] of some.entries()) await tell(file, made[at]?.id ?? null, true);
      },
      ({ oldId: old, location }, error) => {
        const problem = (error as Error).message;
        return fail({ old, location, problem }, `${location}: ${problem}`);
      },
    );
  };
  let batch: ListedFile[] = [];
  for await (const file of listedFiles(list)) {
    if ('problem' in file) {
      await fail(file, `line ${file.line}: ${file.problem}`);
      continue;
    }
    batch.push(file);
    if (batch.length < LINES_AT_ONCE) continue;
    await importAll(batch);
    batch = [];
  }
  await importAll(batch);
  progress.end();
  if (failed > 0) out.note(`${failed} did not become files`);
  return failed === 0 ? 0 : 1;
}

class Registrar {
  readonly #files: FilesService;
  readonly #queue: TaskQueue;
  readonly #transactor: Transactor;

  constructor(
    app: INestApplicationContext,
    private readonly storage: string,
    private readonly concurrency: number | undefined,
  ) {
    this.#files = app.get(FilesService, { strict: false });
    this.#queue = app.get(TaskQueue, { strict: false });
    this.#transactor = app.get(Transactor, { strict: false });
  }

  /** The ids of files that exist, by their location. One statement. */
  async known(files: readonly ListedFile[]): Promise<Map<string, string>> {
    if (files.length === 0) return new Map();
    const rows = await this.#transactor.dataSource.getRepository(ManagedFile).find({
      select: { id: true, location: true },
      where: { storage: this.storage, locationKey: In(files.map(({ location }) => locationKey(location))) },
    });
    return new Map(rows.map(({ id, location }) => [location, id]));
  }

  /** All of them in one commit. */
  async register(listed: readonly ListedFile[]): Promise<ManagedFile[]> {
    if (listed.length === 0) return [];
    const existing = listed.map(({ location, name, contentType, owner }) => ({
      location,
      storage: this.storage,
      owner,
      ...(name !== undefined && { name }),
      ...(contentType !== undefined && { contentType }),
    }));
    const options = this.concurrency === undefined ? {} : { concurrency: this.concurrency };
    return this.#queue.run(async () => {
      const made = await this.#files.registerAll(existing, options);
      for (const [at, { size }] of made.entries()) {
        const said = listed[at]?.size;
        if (said !== undefined && said !== size)
          throw new Error(`the list says ${said} bytes, and the storage has ${size}`);
      }
      await this.#files.pin(made.flatMap(({ id }, at) => (listed[at]?.pinned ? id : [])));
      return made;
    });
  }
}
