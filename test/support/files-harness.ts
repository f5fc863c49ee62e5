import { randomUUID } from 'node:crypto';
import type { ExecutionContext } from '@nestjs/common';
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import type { EntityManager } from 'typeorm';
import { onTestFinished } from 'vitest';
import { fsStorage } from 'nestjs-files/storage/fs';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { ActorSource } from '../../lib/actor/actor.js';
import type { Actor } from '../../lib/actor/actor.js';
import { ByteRemovals } from '../../lib/files/content/byte-removals.js';
import { ContentBatches } from '../../lib/files/content/content-batches.js';
import { ContentCopies } from '../../lib/files/content/content-copies.js';
import { ContentStore } from '../../lib/files/content/content-store.js';
import { readDraftOptions } from '../../lib/files/drafts/draft-options.js';
import { Drafts } from '../../lib/files/drafts/drafts.js';
import { FilesDrafts } from '../../lib/files/drafts/files-drafts.js';
import { FileIntent } from '../../lib/files/intents/file-intent.entity.js';
import { BatchCreations } from '../../lib/files/batch-creations.js';
import { BatchMoves } from '../../lib/files/batch-moves.js';
import { FileRegistration } from '../../lib/files/file-registration.js';
import { FilesMover } from '../../lib/files/files-mover.js';
import { FileWriter } from '../../lib/files/file-writer.js';
import { FilesAddresses } from '../../lib/files/files-addresses.js';
import { OwnerCopies } from '../../lib/files/owner-copies.js';
import { FilesService } from '../../lib/files/files.service.js';
import { FilesSweeper } from '../../lib/files/intents/files-sweeper.js';
import { IntentEndings } from '../../lib/files/intents/intent-endings.js';
import { IntentJournal } from '../../lib/files/intents/intent-journal.js';
import { ManagedFile } from '../../lib/files/managed-file.entity.js';
import { OwnershipPort } from '../../lib/files/ownership-port.js';
import type { Amount, OwnershipChange, TransferOptions } from '../../lib/files/ownership-port.js';
import type { OwnerReference } from '../../lib/files/owner-reference.js';
import { readDirectUploadOptions } from '../../lib/files/uploads/direct-upload-options.js';
import { DirectUploads } from '../../lib/files/uploads/direct-uploads.js';
import { FileUpload } from '../../lib/files/uploads/file-upload.entity.js';
import { UploadBeginnings } from '../../lib/files/uploads/upload-beginnings.js';
import { UploadCompletion } from '../../lib/files/uploads/upload-completion.js';
import { UploadEndings } from '../../lib/files/uploads/upload-endings.js';
import { UploadSweep } from '../../lib/files/uploads/upload-sweep.js';
import { readSweeperOptions } from '../../lib/files/intents/sweeper-options.js';
import { StorageRegistry } from '../../lib/storage/storage-registry.js';
import { StoredBytes } from '../../lib/storage/adapters/stored-bytes.entity.js';
import type { Storage } from '../../lib/storage/storage.js';
import { TaskQueue } from '../../lib/task-queue/task-queue.js';
import { Transactor } from '../../lib/unit-of-work/transactor.js';
import type { UnitOfWork } from '../../lib/unit-of-work/unit-of-work.js';
import { theDatabase } from './databases.js';
import type { TestDatabase } from './databases.js';
import { filesBelow, newDirectory } from './files-directory.js';
import { StatementLog } from './statement-log.js';

/** What the port was told, in a table of its own: it has to come and go with the file's row. */
@Entity('note')
export class Note {
  @PrimaryColumn('varchar') text!: string;
}

/** Something of the application's, to see what a rollback undoes. */
@Entity('thing')
export class Thing {
  @PrimaryColumn('varchar') id!: string;
  @Column('varchar', { nullable: true }) fileId!: string | null;
}

class NotingOwnership extends OwnershipPort {
  fault: Error | undefined;

  constructor(private readonly dataSource: DataSource) {
    super();
  }

  async transfer(ids: readonly string[], { ownerType, ownerId }: TransferOptions): Promise<void> {
    await this.dataSource.getRepository(ManagedFile).update([...ids], { ownerType, ownerId });
  }

  async pin(ids: string | readonly string[]): Promise<void> {
    await this.dataSource.getRepository(ManagedFile).update([ids].flat(), { pinned: true });
  }

  async unpin(ids: string | readonly string[]): Promise<void> {
    await this.dataSource.getRepository(ManagedFile).update([ids].flat(), { pinned: false });
  }

  async history(): Promise<OwnershipChange[]> {
    return [];
  }

  async onCreate(file: ManagedFile, manager: EntityManager): Promise<void> {
    await manager.insert(Note, { text: `created ${file.id} for ${file.ownerType}:${file.ownerId}` });
    if (this.fault) throw this.fault;
  }

  async onCreateAll(files: readonly ManagedFile[], manager: EntityManager): Promise<void> {
    const notes = files.map(({ id, ownerType, ownerId }) => ({ text: `created ${id} for ${ownerType}:${ownerId}` }));
    await manager.insert(Note, notes);
    if (this.fault) throw this.fault;
  }

  async onDeleteAll(files: readonly ManagedFile[], manager: EntityManager): Promise<void> {
    await manager.insert(
      Note,
      files.map(({ id }) => ({ text: `deleted ${id}` })),
    );
    if (this.fault) throw this.fault;
  }

  async onReserve(owner: OwnerReference | null, { bytes }: Amount, manager: EntityManager): Promise<void> {
    await manager.insert(Note, { text: `reserved ${bytes} for ${owner?.type}:${owner?.id}, ${randomUUID()}` });
    if (this.fault) throw this.fault;
  }

  async onRelease(owner: OwnerReference | null, { bytes }: Amount, manager: EntityManager): Promise<void> {
    await manager.insert(Note, { text: `released ${bytes} of ${owner?.type}:${owner?.id}, ${randomUUID()}` });
  }

  roomFor(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async onResize(file: ManagedFile, bytesBefore: number, manager: EntityManager): Promise<void> {
    await manager.insert(Note, { text: `resized ${file.id} from ${bytesBefore} to ${file.size}` });
  }

  async expire(files: readonly ManagedFile[], { manager }: UnitOfWork): Promise<void> {
    for (const { id } of files) await manager.insert(Note, { text: `expired ${id}` });
    await manager.delete(
      ManagedFile,
      files.map(({ id }) => id),
    );
    if (this.fault) throw this.fault;
  }

  async onDelete(file: ManagedFile, manager: EntityManager): Promise<void> {
    await manager.insert(Note, { text: `deleted ${file.id}` });
    if (this.fault) throw this.fault;
  }
}

/** The addresses of an application with the routes of the library. */
class TestAddresses extends FilesAddresses {
  contentOf(fileId: string): string {
    return `/files/${fileId}/content`;
  }

  linkOf(token: string): string {
    return `/files/links/${token}`;
  }
}

/** What the harness's data sources have to know. */
export const HARNESS_ENTITIES = [ManagedFile, FileIntent, FileUpload, StoredBytes, Note, Thing];

/** Wires the files room by hand, on a data source that is open. */
export async function assembleFiles(dataSource: DataSource, storages: Record<string, Storage>) {
  const transactor = new Transactor(dataSource);
  const registry = new StorageRegistry(storages, transactor);
  await registry.onModuleInit();
  const actors = new ActorSource((context) => (context as unknown as { actor: Actor | null }).actor);
  const ownership = new NotingOwnership(dataSource);
  const clock = { now: Date.now() };
  const now = () => clock.now;
  const journal = new IntentJournal(transactor, now);
  const removals = new ByteRemovals(transactor, journal);
  const contents = new ContentStore(registry, transactor, journal, removals);
  const drafts = new Drafts(readDraftOptions({ expireAfter: '7d' }), now);
  const filesDrafts = new FilesDrafts(registry, transactor, ownership, drafts, now);
  const writer = new FileWriter(registry, transactor, actors, ownership, contents, drafts, 'default');
  const contentBatches = new ContentBatches(contents, journal);
  const copies = new ContentCopies(registry, contents, contentBatches);
  const creations = new BatchCreations(registry, transactor, ownership, contents, contentBatches, 'default');
  const batches = new BatchMoves(contents, copies);
  const registration = new FileRegistration(registry, transactor, actors, ownership, journal, 'default');
  const ownerCopies = new OwnerCopies(registry, transactor, ownership, contents, copies);
  const files = new FilesService(
    registry,
    transactor,
    actors,
    ownership,
    contents,
    writer,
    registration,
    ownerCopies,
    new TestAddresses(),
  );
  const lasting = readDirectUploadOptions();
  const endings = new UploadEndings(registry, transactor, ownership, lasting, now);
  const uploadSweep = new UploadSweep(transactor, endings, now);
  const intentEndings = new IntentEndings(registry, transactor);
  const sweeper = new FilesSweeper(
    registry,
    transactor,
    removals,
    intentEndings,
    uploadSweep,
    filesDrafts,
    readSweeperOptions(),
    now,
  );
  const completion = new UploadCompletion(registry, transactor, ownership, endings, journal, drafts, lasting, now);
  const uploads = new DirectUploads(
    registry,
    transactor,
    actors,
    new UploadBeginnings(transactor, ownership, endings),
    completion,
    endings,
    lasting,
    'default',
    now,
  );
  const close = async () => {
    await removals.idle();
    await journal.close();
    transactor.close();
  };
  return {
    dataSource,
    transactor,
    registry,
    actors,
    ownership,
    clock,
    journal,
    removals,
    writer,
    batches,
    creations,
    mover: new FilesMover(writer, batches, registry, transactor),
    files,
    uploads,
    intentEndings,
    uploadSweep,
    filesDrafts,
    sweeper,
    close,
    /** Once what was given up is removed. */
    intents: async () => {
      await removals.idle();
      return dataSource.getRepository(FileIntent).find({ order: { id: 'ASC' } });
    },
    notes: async () => (await dataSource.getRepository(Note).find({ order: { text: 'ASC' } })).map(({ text }) => text),
    rows: () => dataSource.getRepository(ManagedFile).count(),
    queue: new TaskQueue(transactor),
  };
}

export type AssembledFiles = Awaited<ReturnType<typeof assembleFiles>>;

/** A files service on a database of its own, with a storage on disk and one in memory. */
export async function filesHarness(storages: Record<string, Storage> = {}, kind?: TestDatabase) {
  const root = newDirectory();
  const statements: string[] = [];
  const { options, drop } = await (kind ?? (await theDatabase())).create();
  const dataSource = new DataSource({
    ...options,
    logging: ['query'],
    logger: new StatementLog(statements),
    entities: HARNESS_ENTITIES,
    synchronize: true,
  });
  await dataSource.initialize();
  statements.length = 0;
  const all = { default: fsStorage({ root }), memory: memoryStorage(), ...storages };
  const assembled = await assembleFiles(dataSource, all);
  onTestFinished(async () => {
    await assembled.close();
    await dataSource.destroy();
    await drop();
  });
  /** What is in the storage on disk, once what was given up is removed. */
  const stored = async () => {
    await assembled.removals.idle();
    return filesBelow(root);
  };
  return { root, stored, statements, ...assembled };
}

/** A route's context, as far as the harness looks at it. */
export function contextOf(actor: Actor | null): ExecutionContext {
  return { actor } as unknown as ExecutionContext;
}
