import {
  type DynamicModule,
  Global,
  type INestApplication,
  Module,
  type ModuleMetadata,
  type PipeTransform,
} from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { Column, DataSource, Entity, type MixedList, PrimaryColumn } from 'typeorm';
import { theDatabase } from './databases.js';
import { DecoratedRoutesCheck } from '../../lib/task-queue/decorated-routes.check.js';
import { RouteExplorer } from '../../lib/task-queue/route-explorer.js';
import { TaskQueue } from '../../lib/task-queue/task-queue.js';
import { Transactor } from '../../lib/unit-of-work/transactor.js';

export type Platform = 'express' | 'fastify';
export const PLATFORMS: Platform[] = ['express', 'fastify'];

/** A record of the application under test. */
@Entity('note')
export class Note {
  @PrimaryColumn({ type: 'varchar' }) id!: string;
  @Column({ type: 'varchar', nullable: true }) text!: string | null;
}

/** The task queue by itself, as FilesModule wires it. */
@Global()
@Module({})
class QueueModule {
  static over(dataSource?: string): DynamicModule {
    return {
      module: QueueModule,
      imports: [DiscoveryModule],
      providers: [
        {
          provide: Transactor,
          inject: [getDataSourceToken(dataSource)],
          useFactory: (source: DataSource) => new Transactor(source),
        },
        TaskQueue,
        RouteExplorer,
        DecoratedRoutesCheck,
      ],
      exports: [TaskQueue, Transactor],
    };
  }
}

export interface QueueApp {
  readonly app: INestApplication;
  readonly dataSource: DataSource;
  readonly queue: TaskQueue;
  /** Base URL, without a slash at the end. */
  readonly url: string;
  /** The ids of the notes that are really there, in order. */
  ids(): Promise<string[]>;
  close(): Promise<void>;
}

export interface QueueAppOptions extends Pick<ModuleMetadata, 'controllers' | 'providers' | 'imports'> {
  platform?: Platform;
  pipes?: PipeTransform[];
  entities?: MixedList<new () => object>;
}

/** A listening application with the task queue, on a database of its own. */
export async function queueApp(options: QueueAppOptions): Promise<QueueApp> {
  const { platform = 'express', pipes = [], controllers = [], providers = [], imports = [] } = options;
  const { options: own, drop } = await (await theDatabase()).create();
  const testing = await Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot({ ...own, entities: [Note], synchronize: true }),
      TypeOrmModule.forFeature([Note]),
      QueueModule.over(),
      ...imports,
    ],
    controllers,
    providers,
  }).compile();
  const app =
    platform === 'fastify'
      ? testing.createNestApplication(new FastifyAdapter())
      : testing.createNestApplication({ rawBody: false });
  if (pipes.length > 0) app.useGlobalPipes(...pipes);
  app.enableShutdownHooks();
  await app.listen(0, '127.0.0.1');
  const dataSource = app.get(DataSource);
  return {
    app,
    dataSource,
    queue: app.get(TaskQueue),
    url: await app.getUrl(),
    ids: async () => (await dataSource.getRepository(Note).find({ order: { id: 'ASC' } })).map(({ id }) => id),
    close: async () => {
      await app.close();
      await drop();
    },
  };
}

/** Sends JSON and reads the JSON answer, whatever the status. */
export async function post(url: string, body: unknown = {}): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
}
