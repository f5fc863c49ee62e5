import type { INestApplicationContext, ModuleMetadata } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { FilesService, ManagedFile } from '../../lib/index.js';
import { FileTransfer } from '../../lib/entry/entities.js';
import { reachableDatabases } from './databases.js';
import { Package } from './ownership-app.js';
import { insertFile } from './ownership-databases.js';
import { Packages, SECRET, transportModule } from './transport-app.js';
import type { PackageDto, TransportModule } from './transport-app.js';

export interface StartedTransport {
  readonly app: INestApplicationContext;
  /** Calls the decorated method as the user; rejects with what the caller is told. */
  create(dto: PackageDto, user: string): Promise<unknown>;
  /** Closes the clients; the application is closed after it. */
  close?(): unknown;
}

export interface TransportUnderTest<Started extends StartedTransport = StartedTransport> extends ModuleMetadata {
  /** What `context.getType()` says; undefined where Nest makes no execution context. */
  readonly contextType?: string;
  /** Whose files records are given. @default 'ada' */
  readonly filesOf?: 'ada' | 'nobody';
  start(module: DynamicModule): Promise<Started>;
  /** @default PostgreSQL, where calls overlap; SQLite in memory where it does not answer */
  readonly databases?: readonly ('memory' | 'postgres')[];
  /** Why it cannot be tested here. */
  readonly skip?: string | undefined;
  /**
   * What callers are told, where there are any: of the library's own errors, of its faults, and of what the application
   * threw.
   */
  readonly told?: { error(code: string, message: string): unknown; unknown: unknown };
}

/** The application with the transport on SQLite in memory, until the test is over. */
export async function startTransport<Started extends StartedTransport>(transport: TransportUnderTest<Started>) {
  const [memory] = await reachableDatabases('memory');
  if (memory === undefined) throw new Error('SQLite is always there');
  const made = await transportModule(memory, transport);
  const started = await transport.start(made.module);
  onTestFinished(() => closeAll(started, made));
  const packages = started.app.get(Packages, { strict: false });
  const titles = async () =>
    (await made.open.dataSource.getRepository(Package).find()).map(({ title }) => title).sort();
  return { ...started, packages, titles, dataSource: made.open.dataSource };
}

async function closeAll(started: StartedTransport, made: TransportModule): Promise<void> {
  await started.close?.();
  await started.app.close();
  await made.open.close();
}

/**
 * What holds on every transport: everything is committed, or nothing, and calls at the same time have nothing to do
 * with each other.
 */
export async function describeTransport(name: string, transport: TransportUnderTest): Promise<void> {
  const { contextType, filesOf = 'ada', told, skip } = transport;
  if (skip !== undefined) console.log(skip);
  const reachable = await reachableDatabases(...(transport.databases ?? (['memory', 'postgres'] as const)));
  const databases = transport.databases ? reachable : reachable.slice(-1);

  describe.skipIf(skip !== undefined).each(databases)(`${name} on $name`, ({ kind, ...database }) => {
    let made: TransportModule;
    let started: StartedTransport;
    let dataSource: DataSource;
    let packages: Packages;

    beforeAll(async () => {
      made = await transportModule({ kind, ...database }, transport);
      ({ dataSource } = made.open);
      started = await transport.start(made.module);
      packages = started.app.get(Packages, { strict: false });
    });

    afterAll(() => closeAll(started, made));

    const newFile = (owner: string | null = filesOf === 'ada' ? 'ada' : null): Promise<string> =>
      insertFile(dataSource, owner === null ? {} : { ownerType: 'user', ownerId: owner });
    const file = (id: string) => dataSource.getRepository(ManagedFile).findOneByOrFail({ id });
    const saved = (title: string) => dataSource.getRepository(Package).findOneBy({ title });
    const create = (title: string, attachmentId: string) => started.create({ title, attachmentId }, 'ada');

    async function expectUntouched(title: string, fileId: string, owner = filesOf === 'ada' ? 'ada' : null) {
      expect(await saved(title)).toBeNull();
      expect(await file(fileId)).toMatchObject({ ownerId: owner, ownerField: null, pinned: false });
      expect(await dataSource.getRepository(FileTransfer).countBy({ fileId })).toBe(0);
      expect(packages.committed).not.toContain(title);
    }

    it('saves the record and makes the file its own', async () => {
      const id = await newFile();
      await create('kept', id);
      const pkg = await saved('kept');
      expect(pkg).toMatchObject({ attachmentId: id });
      const owner = { ownerType: 'package', ownerId: String(pkg?.id) };
      expect(await file(id)).toMatchObject({ ...owner, ownerField: 'attachmentId', pinned: true });
      const [transfer] = await started.app.get(FilesService, { strict: false }).history(id);
      expect(transfer).toMatchObject({ toType: 'package', actorId: filesOf === 'ada' ? 'ada' : null });
      expect(packages.committed).toContain('kept');
      expect(new Set(made.contexts)).toEqual(new Set(contextType === undefined ? [] : [contextType]));
    });

    it.each(['the handler fails', 'a task fails'])('changes nothing when %s', async (title) => {
      const id = await newFile();
      const call = create(title, id);
      if (told) await expect(call).rejects.toMatchObject(told.unknown as object);
      else await expect(call).rejects.toThrow();
      await expectUntouched(title, id);
      expect(packages.undone).toContain(title);
    });

    it('refuses the file of somebody else before the handler runs', async () => {
      const id = await newFile('ben');
      await expect(create('of ben', id)).rejects.toBeDefined();
      await expectUntouched('of ben', id, 'ben');
      expect(packages.undone).not.toContain('of ben');
    });

    it.runIf(told)('tells the caller the code of an error, and nothing of what is the server’s own', async () => {
      const id = await newFile();
      const pinned = await create('pinned', id).catch((error: unknown) => error);
      expect(pinned).toMatchObject(told?.error('FILES_FILE_PINNED', 'File 7 is pinned') as object);
      const fault = await create('misconfigured', id).catch((error: unknown) => error);
      expect(fault).toMatchObject(told?.error('FILES_TASK_QUEUE_MISSING', 'Internal Server Error') as object);
      if (contextType !== undefined) expect(JSON.stringify(fault)).not.toContain(SECRET);
      await expectUntouched('pinned', id);
      await expectUntouched('misconfigured', id);
    });

    it('keeps calls apart that are in their handlers at the same time', async () => {
      const titles = Array.from({ length: 6 }, (_, at) => `meets ${at}${at % 2 ? ' handler fails' : ''}`);
      const files = await Promise.all(titles.map(() => newFile()));
      // SQLite has one connection: there one call waits for the other before its handler.
      if (kind !== 'memory') packages.expectTogether(titles.length);
      const calls = await Promise.allSettled(titles.map((title, at) => create(title, String(files[at]))));
      expect(calls.map(({ status }) => status)).toEqual(titles.map((_, at) => (at % 2 ? 'rejected' : 'fulfilled')));
      for (const [at, title] of titles.entries()) {
        if (at % 2) await expectUntouched(title, String(files[at]));
        else expect((await file(String(files[at]))).ownerId).toBe(String((await saved(title))?.id));
      }
    });

    it('gives a file that two calls want to one of them', async () => {
      const id = await newFile();
      const titles = ['meets first', 'meets second'];
      if (kind !== 'memory') packages.expectTogether(titles.length);
      const calls = await Promise.allSettled(titles.map((title) => create(title, id)));
      expect(calls.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      const winner = calls[0]?.status === 'fulfilled' ? 0 : 1;
      const pkg = await saved(String(titles[winner]));
      expect(await file(id)).toMatchObject({ ownerType: 'package', ownerId: String(pkg?.id) });
      expect(await saved(String(titles[1 - winner]))).toBeNull();
      if (kind === 'memory' || !told) return;
      const refused = calls[1 - winner] as PromiseRejectedResult;
      expect(refused.reason).toMatchObject(told.error('FILES_FILE_CHANGED', '') as object);
    });
  });
}
