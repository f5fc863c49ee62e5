import { EventEmitter, once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Injectable } from '@nestjs/common';
import { FilesService, ManagedFile, TaskQueue } from 'nestjs-files';
import type { FileContent, FilesModuleOptions } from 'nestjs-files';
import { DerivedFile, DerivedFiles } from 'nestjs-files/hooks';
import type { DerivationContext } from 'nestjs-files/hooks';
import { FilesJobs } from 'nestjs-files/jobs';
import type { DataSourceOptions } from 'typeorm';
import { vi } from 'vitest';
import { ByteRemovals } from '../../lib/files/content/byte-removals.js';
import { FileIntent } from '../../lib/files/intents/file-intent.entity.js';
import { QueuedJob } from '../../lib/jobs/outbox/queued-job.entity.js';
import { memoryStorage } from '../../lib/storage/adapters/memory.storage.js';
import { startApp } from './http-app.js';
import { tablesOf } from './job-engines.js';
import type { EngineTask, StartedEngine } from './job-engines.js';
import type { Platform } from './http-app.js';
import { ScriptedScanner } from './scripted-scanner.js';

type Script = (
  content: Readable,
  context: DerivationContext,
  run: number,
) => FileContent | null | Promise<FileContent | null>;

/** Derives previews of texts, as a test says. */
@Injectable()
export class Previews {
  runs = 0;
  readonly #events = new EventEmitter();

  script: Script = async (content) => Buffer.from(`preview of ${await text(content)}`);

  @DerivedFile('preview', { from: 'text/*', attempts: 2, backoff: 1 })
  async preview(content: Readable, context: DerivationContext): Promise<FileContent | null> {
    this.runs++;
    this.#events.emit('run');
    return this.script(content, context, this.runs);
  }

  /** Resolves when so many runs have begun. */
  async begun(count: number): Promise<void> {
    while (this.runs < count) await once(this.#events, 'run');
  }
}

export interface DerivedAppOptions {
  readonly database?: DataSourceOptions;
  readonly platform?: Platform;
  readonly options?: Partial<FilesModuleOptions>;
  /** What runs its jobs. @default outboxJobs() */
  readonly engine?: Pick<StartedEngine, 'engine'> & { readonly task: EngineTask };
  /** @default Previews */
  readonly providers?: NonNullable<Parameters<typeof startApp>[0]>['providers'];
  readonly imports?: NonNullable<Parameters<typeof startApp>[0]>['imports'];
}

/** An application that derives previews from texts, with files in memory. */
export async function derivedApp(settings: DerivedAppOptions = {}) {
  const { database, platform, options, engine, imports, providers = [Previews] } = settings;
  const { open } = tablesOf(engine?.task ?? { engine: 'outboxJobs', poll: 0, lease: 0 });
  const memory = memoryStorage();
  const scanner = new ScriptedScanner();
  const app = await startApp({
    providers,
    ...(database && { database }),
    ...(platform && { platform }),
    ...(imports && { imports }),
    options: {
      storages: { default: memory, other: memoryStorage(), scanned: memoryStorage({ scan: scanner }) },
      ...(engine && { jobs: { engine: engine.engine } }),
      ...options,
    },
  });
  const files = app.app.get(FilesService);
  const derived = app.app.get(DerivedFiles);
  const rows = app.dataSource.getRepository(ManagedFile);
  const jobs = app.dataSource.getRepository(QueuedJob);
  return {
    ...app,
    memory,
    scanner,
    files,
    derived,
    rows,
    jobs,
    queue: app.app.get(TaskQueue),
    failed: app.app.get(FilesJobs),
    previews: providers.includes(Previews) ? app.app.get(Previews, { strict: false }) : new Previews(),
    create: (content: string, storage = 'default') =>
      files.create(Buffer.from(content), { name: 'a.txt', storage, owner: { type: 'user', id: 'anna' } }),
    /** The text of the file's preview, once there is one. */
    preview: (id: string) =>
      vi.waitFor(
        async () => {
          const preview = await derived.find(await files.findOrFail(id), 'preview');
          if (!preview) throw new Error(`File ${id} has no preview yet`);
          return text(await files.stream(preview));
        },
        { timeout: 20_000 },
      ),
    /** Resolves when no job waits or runs. */
    idle: () =>
      vi.waitFor(
        async () => {
          const count = await open({ read: (sql) => app.dataSource.query(sql) });
          if (count > 0) throw new Error(`${count} jobs are open`);
        },
        { timeout: 20_000 },
      ),
    /** How many bytes are in the storage, by location, once what was given up is removed. */
    kept: async () => {
      await app.app.get(ByteRemovals).idle();
      const found: string[] = [];
      for await (const { location } of memory.list()) found.push(location);
      return found;
    },
    intents: () => app.dataSource.getRepository(FileIntent).count(),
    get: (id: string, init: RequestInit & { user?: string } = { user: 'anna' }) =>
      app.fetch(`/files/${id}/preview`, init),
  };
}
