import {
  Body,
  Controller,
  type DynamicModule,
  Global,
  type INestApplication,
  Injectable,
  Module,
  Post,
  type Provider,
  type Type,
  ValidationPipe,
} from '@nestjs/common';
import { ClsPluginTransactional, Transactional, TransactionHost } from '@nestjs-cls/transactional';
import { TransactionalAdapterTypeOrm } from '@nestjs-cls/transactional-adapter-typeorm';
import { Test } from '@nestjs/testing';
import { getDataSourceToken, InjectDataSource, InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { IsOptional, IsString } from 'class-validator';
import { ClsModule } from 'nestjs-cls';
import { Column, DataSource, Entity, type EntityManager, PrimaryColumn, Repository } from 'typeorm';
import {
  addTransactionalDataSource,
  deleteDataSourceByName,
  initializeTransactionalContext,
  StorageDriver,
  Transactional as TypeOrmTransactional,
} from 'typeorm-transactional';
import { FilesModule, FilesService, TaskQueue, TransferOwnership, WithTaskQueue } from '../../lib/index.js';
import { FILES_ENTITIES } from '../../lib/entry/entities.js';
import { memoryStorage } from '../../lib/storage/adapters/memory.storage.js';
import type { TestDatabase } from './databases.js';

@Entity('note')
export class Note {
  @PrimaryColumn('varchar', { length: 60 }) id!: string;
  @Column('varchar', { length: 36, nullable: true }) fileId!: string | null;
}

class NoteDto {
  @IsString() id!: string;
  @IsOptional() @TransferOwnership('note') fileId?: string;
  @IsOptional() @IsString() fails?: string;
}

/** A way for an application to open transactions by itself. */
export interface TransactionLibrary {
  readonly name: string;
  /** Runs the method in a transaction of the library's. */
  readonly InTransaction: () => MethodDecorator;
  /** The entity manager of the library's transaction, where one is open here. */
  manager(dataSource: DataSource): EntityManager;
  readonly imports?: () => DynamicModule[];
  take?(dataSource: DataSource): DataSource;
  close?(): void;
}

let own: EntityManager | undefined;

const OwnTransaction = (): MethodDecorator => (_target, _key, descriptor) => {
  const original = descriptor.value as unknown as (...args: unknown[]) => Promise<unknown>;
  const method = function (this: { dataSource: DataSource }, ...args: unknown[]): Promise<unknown> {
    return this.dataSource.transaction(async (manager) => {
      own = manager;
      return original.apply(this, args).finally(() => (own = undefined));
    });
  };
  for (const key of Reflect.getMetadataKeys(original) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, original), method);
  }
  Object.assign(descriptor, { value: method });
};

@Global()
@Module({})
class DataSourceModule {}

export const LIBRARIES: [TransactionLibrary, TransactionLibrary, TransactionLibrary] = [
  { name: 'dataSource.transaction()', InTransaction: OwnTransaction, manager: ({ manager }) => own ?? manager },
  {
    name: 'typeorm-transactional',
    InTransaction: () => TypeOrmTransactional(),
    manager: ({ manager }) => manager,
    take: (dataSource) => {
      initializeTransactionalContext({ storageDriver: StorageDriver.ASYNC_LOCAL_STORAGE });
      return addTransactionalDataSource(dataSource);
    },
    close: () => void deleteDataSourceByName('default'),
  },
  {
    name: 'nestjs-cls',
    InTransaction: () => Transactional(),
    manager: () => TransactionHost.getInstance<TransactionalAdapterTypeOrm>().tx,
    imports: () => [
      ClsModule.forRoot({
        plugins: [
          new ClsPluginTransactional({
            imports: [DataSourceModule],
            adapter: new TransactionalAdapterTypeOrm({ dataSourceToken: getDataSourceToken() as never }),
          }),
        ],
      }),
    ],
  },
];

/** What the services under test share: each writes a note, a task that writes another, and effects. */
interface Joins {
  above(id: string, fails?: string): Promise<unknown>;
  below(id: string, fails?: string): Promise<unknown>;
  decorated(id: string, fails?: string): Promise<unknown>;
  callsDecorated(id: string, fails?: string): Promise<unknown>;
  catchesDecorated(id: string): Promise<unknown>;
  callsTransactional(id: string, fails?: string): Promise<unknown>;
  inTransaction<T>(work: () => Promise<T>): Promise<T>;
}

export interface JoiningApp {
  readonly app: INestApplication;
  readonly dataSource: DataSource;
  readonly service: Joins;
  readonly queue: TaskQueue;
  readonly files: FilesService;
  /** What happened, in order. */
  readonly log: string[];
  /** BEGIN, COMMIT and ROLLBACK as the database was asked for them; savepoints as `[` and `]`, undone as `)`. */
  transactions(): string;
  post(path: string, body: object): Promise<number>;
  saved(): Promise<string[]>;
  reset(): Promise<void>;
  close(): Promise<void>;
}

const silent = {
  logQueryError: () => undefined,
  logQuerySlow: () => undefined,
  logSchemaBuild: () => undefined,
  logMigration: () => undefined,
  log: () => undefined,
};

/** A listening application that uses the library's transactions and this one's units. */
export async function joiningApp(
  library: TransactionLibrary,
  database: TestDatabase,
  {
    providers = [],
    controllers = [],
    poolSize = 1,
  }: { providers?: Provider[]; controllers?: Type[]; poolSize?: number } = {},
): Promise<JoiningApp> {
  const opened = await database.open({ entities: [...FILES_ENTITIES, Note], poolSize });
  const statements: string[] = [];
  Object.assign(opened.dataSource, { logger: { ...silent, logQuery: (sql: string) => statements.push(sql) } });
  const log: string[] = [];
  const { Service, NotesController } = classesFor(library, log);
  const testing = await Test.createTestingModule({
    imports: [
      TypeOrmModule.forRootAsync({
        useFactory: () => opened.dataSource.options,
        dataSourceFactory: () => Promise.resolve(library.take?.(opened.dataSource) ?? opened.dataSource),
      }),
      TypeOrmModule.forFeature([Note]),
      FilesModule.forRoot({ storages: { default: memoryStorage() }, actor: () => ({ type: 'user', id: 'ada' }) }),
      ...(library.imports?.() ?? []),
    ],
    controllers: [NotesController, ...controllers],
    providers: [Service, ...providers],
  }).compile();
  const app = testing.createNestApplication({ logger: false });
  app.useGlobalPipes(new ValidationPipe({ transform: true }));
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return {
    app,
    dataSource: opened.dataSource,
    service: app.get<Joins>(Service),
    queue: app.get(TaskQueue),
    files: app.get(FilesService),
    log,
    transactions: () => summary(statements),
    post: async (path, body) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${url}/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      log.push(`answered ${response.status}`);
      return response.status;
    },
    saved: async () => (await opened.read('SELECT id FROM note ORDER BY id')).map(({ id }) => String(id)),
    reset: async () => {
      await opened.dataSource.query('DELETE FROM note');
      log.length = 0;
      statements.length = 0;
    },
    close: async () => {
      await app.close();
      library.close?.();
      await opened.close();
    },
  };
}

const MARKS: [RegExp, string][] = [
  [/^(BEGIN|START TRANSACTION)/i, 'BEGIN'],
  [/^SAVEPOINT/i, '['],
  [/^RELEASE SAVEPOINT/i, ']'],
  [/^ROLLBACK TO SAVEPOINT/i, ')'],
  [/^COMMIT/i, 'COMMIT'],
  [/^ROLLBACK/i, 'ROLLBACK'],
];

function summary(statements: readonly string[]): string {
  const marks = statements.map((sql) => MARKS.find(([pattern]) => pattern.test(sql))?.[1]);
  return marks.filter((mark) => mark !== undefined).join(' ');
}

function classesFor({ InTransaction, manager }: TransactionLibrary, log: string[]) {
  @Injectable()
  class Service implements Joins {
    constructor(
      @InjectDataSource() readonly dataSource: DataSource,
      @InjectRepository(Note) readonly notes: Repository<Note>,
      readonly queue: TaskQueue,
    ) {}

    /** What a decorated method does, through what was injected. */
    async write(id: string, fails?: string): Promise<Note> {
      this.queue.add(async (note: Note) => {
        log.push(`task of ${note.id} sees ${await this.notes.countBy({ id: note.id })}`);
        await this.notes.insert({ id: `${note.id}-task`, fileId: null });
        if (fails === 'task') throw new Error('task');
      });
      this.queue.afterCommit(async () => log.push(`${id} committed, saved: ${await this.notes.count()}`));
      this.queue.afterRollback(() => log.push(`${id} rolled back`));
      const note = await this.notes.save({ id, fileId: null });
      if (fails === 'method') throw new Error('method');
      return note;
    }

    @InTransaction() @WithTaskQueue() async above(id: string, fails?: string): Promise<unknown> {
      return this.write(id, fails);
    }

    @WithTaskQueue() @InTransaction() async below(id: string, fails?: string): Promise<unknown> {
      return this.write(id, fails);
    }

    @WithTaskQueue() async decorated(id: string, fails?: string): Promise<unknown> {
      return this.write(id, fails);
    }

    @InTransaction() async callsDecorated(id: string, fails?: string): Promise<unknown> {
      await manager(this.dataSource).insert(Note, { id: `${id}-outer`, fileId: null });
      await this.decorated(id, fails);
      log.push('outer goes on');
      if (fails === 'outer') throw new Error('outer');
      return id;
    }

    @InTransaction() async catchesDecorated(id: string): Promise<unknown> {
      await manager(this.dataSource).insert(Note, { id: `${id}-outer`, fileId: null });
      await this.decorated(id, 'task').catch(() => undefined);
      await manager(this.dataSource).insert(Note, { id: `${id}-after`, fileId: null });
      return id;
    }

    @InTransaction() async inTransaction<T>(work: () => Promise<T>): Promise<T> {
      return work();
    }

    @WithTaskQueue() async callsTransactional(id: string, fails?: string): Promise<unknown> {
      await this.inTransaction(() => manager(this.dataSource).insert(Note, { id: `${id}-inner`, fileId: null }));
      return this.write(id, fails);
    }
  }

  @Controller()
  class NotesController {
    constructor(
      @InjectDataSource() readonly dataSource: DataSource,
      @InjectRepository(Note) private readonly notes: Repository<Note>,
      private readonly service: Service,
    ) {}

    @Post('above') @InTransaction() @WithTaskQueue() async above(@Body() dto: NoteDto): Promise<unknown> {
      return this.#save(dto);
    }

    @Post('below') @WithTaskQueue() @InTransaction() async below(@Body() dto: NoteDto): Promise<unknown> {
      return this.#save(dto);
    }

    @Post('calls') @WithTaskQueue() async calls(@Body() dto: NoteDto): Promise<unknown> {
      await this.service.callsDecorated(`${dto.id}-service`);
      return this.#save(dto);
    }

    async #save({ id, fileId, fails }: NoteDto): Promise<Note> {
      const note = await this.notes.save({ id, fileId: fileId ?? null });
      if (fails) throw new Error('handler');
      return note;
    }
  }

  return { Service: Service as Type<Joins>, NotesController: NotesController as Type };
}
