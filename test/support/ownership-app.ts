import { Module } from '@nestjs/common';
import type {
  ExecutionContext,
  INestApplication,
  PipeTransform,
  Provider,
  Type,
  WebSocketAdapter,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { Column, DataSource, Entity, OneToMany, ManyToOne, PrimaryGeneratedColumn } from 'typeorm';
import type { Relation } from 'typeorm';
import { ACTOR_RESOLVER, ActorSource } from '../../lib/actor/actor.js';
import type { Actor } from '../../lib/actor/actor.js';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { ManagedFile } from '../../lib/files/managed-file.entity.js';
import { FileUpload } from '../../lib/files/uploads/file-upload.entity.js';
import { ByteRemovals } from '../../lib/files/content/byte-removals.js';
import { ContentStore } from '../../lib/files/content/content-store.js';
import { FileIntent } from '../../lib/files/intents/file-intent.entity.js';
import { IntentJournal } from '../../lib/files/intents/intent-journal.js';
import { FilesErrorFilter } from '../../lib/http/answers/files-error.filter.js';
import { RecordGuard } from '../../lib/ownership/guard/record-guard.js';
import { FileTransfer } from '../../lib/ownership/file-transfer.entity.js';
import { MANAGER_CHECK, TransferRuntime } from '../../lib/ownership/transfer-runtime.js';
import { Ownership } from '../../lib/ownership/ownership.service.js';
import { FileUsage } from '../../lib/ownership/quotas/file-usage.entity.js';
import { QUOTAS } from '../../lib/ownership/quotas/quota-options.js';
import type { QuotaOptions } from '../../lib/ownership/quotas/quota-options.js';
import { Quotas } from '../../lib/ownership/quotas/quotas.js';
import type { Storage } from '../../lib/storage/storage.js';
import { STORAGES, StorageRegistry } from '../../lib/storage/storage-registry.js';
import { TaskQueue } from '../../lib/task-queue/task-queue.js';
import { Transactor } from '../../lib/unit-of-work/transactor.js';
import { theDatabase } from './databases.js';
import type { TestDatabase } from './databases.js';

@Entity()
export class Package {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') title!: string;
  @Column('varchar', { nullable: true }) attachmentId!: string | null;
  @OneToMany(() => Resource, (resource) => resource.package, { cascade: true }) resources!: Relation<Resource>[];
}

@Entity()
export class Resource {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') fileId!: string;
  @ManyToOne(() => Package, (pkg) => pkg.resources) package!: Relation<Package>;
}

export interface OwnershipApp {
  readonly app: INestApplication;
  readonly dataSource: DataSource;
  readonly ownership: Ownership;
  readonly queue: TaskQueue;
  /** What the database was asked, in order. */
  readonly statements: string[];
  /** Waits until what was given up is removed. */
  settled(): Promise<void>;
  /** The storage `default`. */
  readonly storage: Storage;
  send(path: string, body: unknown): Promise<{ status: number; body: Record<string, unknown> }>;
  close(): Promise<void>;
}

export interface OwnershipAppOptions {
  controllers?: Type[];
  providers?: Provider[];
  adapter?: (app: INestApplication) => WebSocketAdapter;
  pipes?: PipeTransform[];
  actor?: Actor | null;
  isManager?: boolean;
  /** @default that of tests that need one */
  database?: TestDatabase;
  entities?: Type[];
  quotas?: QuotaOptions;
}

/** The ownership room in an application, with packages and their resources. The actor is the user "ada". */
export async function ownershipApp(options: OwnershipAppOptions = {}): Promise<OwnershipApp> {
  const {
    controllers = [],
    providers = [],
    pipes = [],
    actor = { type: 'user', id: 'ada' },
    isManager = false,
  } = options;
  const statements: string[] = [];
  const entities = [
    ManagedFile,
    FileIntent,
    FileUpload,
    FileTransfer,
    FileUsage,
    Package,
    Resource,
    ...(options.entities ?? []),
  ];
  const open = await (options.database ?? (await theDatabase())).open({ entities });
  const { dataSource } = open;
  Object.assign(dataSource, { logger: { ...silent, logQuery: (sql: string) => statements.push(sql) } });
  const storage = memoryStorage();
  const transactor = new Transactor(dataSource);

  @Module({
    controllers,
    providers: [
      { provide: Transactor, useValue: transactor },
      { provide: ACTOR_RESOLVER, useValue: (_: ExecutionContext) => actor },
      { provide: MANAGER_CHECK, useValue: () => isManager },
      { provide: DataSource, useValue: dataSource },
      { provide: APP_FILTER, useClass: FilesErrorFilter },
      ...providers,
      { provide: STORAGES, useValue: { default: storage } },
      StorageRegistry,
      ActorSource,
      { provide: QUOTAS, useValue: options.quotas ?? {} },
      Quotas,
      IntentJournal,
      ByteRemovals,
      ContentStore,
      Ownership,
      TaskQueue,
      TransferRuntime,
      RecordGuard,
    ],
  })
  class OwnershipTestModule {}

  const module = await Test.createTestingModule({ imports: [OwnershipTestModule] }).compile();
  const app = module.createNestApplication({ logger: false });
  app.useGlobalPipes(...pipes);
  if (options.adapter) app.useWebSocketAdapter(options.adapter(app));
  const close = async () => {
    await app.close();
    transactor.close();
    await open.close();
  };
  await app.listen(0, '127.0.0.1').catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const url = await app.getUrl();
  return {
    app,
    dataSource,
    ownership: app.get(Ownership),
    queue: app.get(TaskQueue),
    statements,
    storage,
    settled: () => app.get(ByteRemovals).idle(),
    send: async (path, body) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      const text = await response.text();
      return { status: response.status, body: text ? (JSON.parse(text) as Record<string, unknown>) : {} };
    },
    close,
  };
}

const silent = {
  logQueryError: () => undefined,
  logQuerySlow: () => undefined,
  logSchemaBuild: () => undefined,
  logMigration: () => undefined,
  log: () => undefined,
};
