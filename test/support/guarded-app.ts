import { Module } from '@nestjs/common';
import type { INestApplication, Type } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import type { Server } from 'node:http';
import { DataSource } from 'typeorm';
import { FilesModule, FilesService, ManagedFile, TaskQueue } from '../../lib/index.js';
import { FileTransfer } from '../../lib/entry/entities.js';
import type { FilesModuleOptions } from '../../lib/index.js';
import { memoryStorage } from '../../lib/storage/adapters/memory.storage.js';
import type { TestDatabase } from './databases.js';
import { GUARDED } from './guarded-entities.js';
import { byHeader } from './http-app.js';
import type { Platform } from './http-app.js';

export interface GuardedSetup {
  readonly database: TestDatabase;
  readonly platform?: Platform;
  readonly controllers?: Type[];
  /** @default all of the guarded ones */
  readonly entities?: Type[];
  readonly options?: Partial<FilesModuleOptions>;
  prepare?(app: INestApplication): void;
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** An application with guarded records, which listens until it is closed. Who acts is in the header `x-user`. */
export interface GuardedApp {
  readonly app: INestApplication;
  readonly dataSource: DataSource;
  readonly files: FilesService;
  readonly queue: TaskQueue;
  /** What the database was asked since `watch()`. */
  readonly statements: string[];
  send(method: string, path: string, body?: unknown, user?: string): Promise<Answer>;
  /** A file of a user, with bytes. */
  upload(user?: string): Promise<string>;
  /** A file of any owner. */
  fileOf(ownerType: string, ownerId: string | number, pinned?: boolean): Promise<string>;
  /** `type id`, with `*` if pinned; `-` for no owner, undefined for no file. */
  ownerOf(fileId: string): Promise<string | undefined>;
  /** The actions in the history of a file, the oldest first. */
  historyOf(fileId: string): Promise<string[]>;
  close(): Promise<void>;
}

export async function guardedApp(setup: GuardedSetup): Promise<GuardedApp> {
  const { options, drop } = await setup.database.create();
  const statements: string[] = [];
  const entities = setup.entities ?? GUARDED;

  @Module({
    imports: [
      TypeOrmModule.forRoot({
        ...options,
        synchronize: true,
        autoLoadEntities: true,
        retryAttempts: 0,
      } as TypeOrmModuleOptions),
      TypeOrmModule.forFeature(entities),
      FilesModule.forRoot({
        storages: { default: memoryStorage() },
        actor: byHeader,
        isManager: (actor) => actor?.id === 'admin',
        uploads: 'authenticated',
        sweeper: false,
        ...setup.options,
      }),
    ],
    controllers: setup.controllers ?? [],
  })
  class GuardedTestModule {}

  const testing = await Test.createTestingModule({ imports: [GuardedTestModule] }).compile();
  const app = testing.createNestApplication(
    setup.platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter(),
    { logger: false },
  );
  setup.prepare?.(app);
  await app.listen(0, '127.0.0.1');
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  const dataSource = app.get(DataSource);
  Object.assign(dataSource, { logger: { ...silent, logQuery: (sql: string) => statements.push(sql) } });
  const files = app.get(FilesService);
  return {
    app,
    dataSource,
    files,
    queue: app.get(TaskQueue),
    statements,
    send: async (method, path, body, user = 'ada') => {
      const headers = { 'x-user': user, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
      const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      const response = await fetch(url + path, init);
      const text = await response.text();
      return { status: response.status, body: text ? (JSON.parse(text) as Record<string, unknown>) : {} };
    },
    upload: async (user = 'ada') => {
      const made = await files.create(Buffer.from(`of ${user}`), { name: 'a.txt', owner: { type: 'user', id: user } });
      return made.id;
    },
    fileOf: async (ownerType, ownerId, pinned = true) => {
      const { id } = await files.create(Buffer.from('x'), {
        name: 'a.txt',
        owner: { type: ownerType, id: String(ownerId) },
      });
      if (pinned) await files.pin(id);
      return id;
    },
    ownerOf: async (fileId) => {
      const file = await dataSource.getRepository(ManagedFile).findOneBy({ id: fileId });
      if (!file) return undefined;
      return file.ownerType === null ? '-' : `${file.ownerType} ${file.ownerId}${file.pinned ? '*' : ''}`;
    },
    historyOf: async (fileId) => {
      const rows = await dataSource
        .getRepository(FileTransfer)
        .find({ where: { fileId }, order: { at: 'ASC', id: 'ASC' } });
      return rows.map(({ action }) => action);
    },
    close: async () => {
      (app.getHttpServer() as Server).closeAllConnections();
      await app.close();
      await drop();
    },
  };
}

const silent = {
  logQueryError: () => undefined,
  logQuerySlow: () => undefined,
  logSchemaBuild: () => undefined,
  logMigration: () => undefined,
  log: () => undefined,
};
