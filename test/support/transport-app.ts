import { Injectable, Module } from '@nestjs/common';
import type { CallHandler, DynamicModule, ExecutionContext, ModuleMetadata, NestInterceptor } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { Type } from 'class-transformer';
import { IsOptional, IsString, ValidateNested } from 'class-validator';
import { from, mergeMap, raceWith, throwError, TimeoutError } from 'rxjs';
import type { Observable } from 'rxjs';
import { Repository } from 'typeorm';
import { callUser } from '../../lib/access/call-user.js';
import { FilesModule, TaskQueue, TransferOwnership } from '../../lib/index.js';
import { FILES_ENTITIES } from '../../lib/entry/entities.js';
import { FilePinnedError, TaskQueueMissingError } from '../../lib/entry/errors.js';
import { memoryStorage } from '../../lib/storage/adapters/memory.storage.js';
import type { OpenDatabase, TestDatabase } from './databases.js';
import { gate } from './gate.js';
import { Package, Resource } from './ownership-app.js';

/** What no client may read. */
export const SECRET = 'the password of the database is tiger';

export class ResourceDto {
  @TransferOwnership('resource') fileId!: string;
}

export class PackageDto {
  @IsString() title!: string;
  @IsOptional() @TransferOwnership('package', { allowUnowned: true }) attachmentId?: string | null;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => ResourceDto) resources?: ResourceDto[] | null;
}

/** Calls that are to be inside of their handlers at the same time. */
class Meeting {
  readonly #all = gate();
  #missing: number;

  constructor(participants: number) {
    this.#missing = participants;
  }

  arrive(): Promise<void> {
    if (--this.#missing === 0) this.#all.open();
    return this.#all.opened;
  }
}

/** The application's own service, the same below every transport. What the title says happens. */
@Injectable()
export class Packages {
  /** Titles, in the order in which their effects ran. */
  readonly committed: string[] = [];
  readonly undone: string[] = [];
  #meeting: Meeting | undefined;
  #next = gate();
  /** Opens when a call whose title has "waits" is in its handler; that goes on when `goOn` opens. */
  reached = gate();
  goOn = gate();
  /** Opens when a client has gone away, where the application is told. */
  clientGone = gate();

  constructor(
    @InjectRepository(Package) private readonly packages: Repository<Package>,
    private readonly queue: TaskQueue,
  ) {}

  /** Waits until the effects of a call have run. */
  async ended(title: string): Promise<void> {
    while (!this.committed.includes(title) && !this.undone.includes(title)) await this.#next.opened;
  }

  #done(where: string[], title: string): void {
    where.push(title);
    this.#next.open();
    this.#next = gate();
  }

  /** The next calls whose title has "meets" wait for each other in their handlers. */
  expectTogether(calls: number): void {
    this.#meeting = new Meeting(calls);
  }

  async create({ title, attachmentId = null, resources }: PackageDto): Promise<Package> {
    this.queue.afterCommit(() => this.#done(this.committed, title));
    this.queue.afterRollback(() => this.#done(this.undone, title));
    this.queue.add(() => {
      if (title.includes('task fails')) throw new Error(SECRET);
    });
    const rows = (resources ?? []).map(({ fileId }) => ({ fileId }));
    const saved = await this.packages.save({ title, attachmentId, resources: rows });
    if (title.includes('meets')) await this.#meeting?.arrive();
    if (title.includes('waits')) {
      this.reached.open();
      await this.goOn.opened;
    }
    if (title.includes('handler fails')) throw new Error(SECRET);
    if (title.includes('pinned')) throw new FilePinnedError('7', 'delete');
    if (title.includes('misconfigured')) throw new TaskQueueMissingError(SECRET);
    return saved;
  }
}

/** An interceptor outside of the unit of work that waits until `Packages.reached` opens, and no longer. */
@Injectable()
export class GiveUp implements NestInterceptor {
  constructor(private readonly packages: Packages) {}

  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    const over = from(this.packages.reached.opened).pipe(mergeMap(() => throwError(() => new TimeoutError())));
    return next.handle().pipe(raceWith(over));
  }
}

export interface TransportModule {
  readonly module: DynamicModule;
  readonly open: OpenDatabase;
  /** The kinds of execution contexts that the option `actor` was asked about. */
  readonly contexts: string[];
}

/** A whole application with FilesModule around the transport's parts, on a database of its own. */
export async function transportModule(database: TestDatabase, parts: ModuleMetadata): Promise<TransportModule> {
  const open = await database.open({ entities: [...FILES_ENTITIES, Package, Resource] });
  const contexts: string[] = [];

  @Module({})
  class TransportTestModule {}

  const module: DynamicModule = {
    module: TransportTestModule,
    imports: [
      TypeOrmModule.forRootAsync({
        useFactory: () => ({}),
        dataSourceFactory: () => Promise.resolve(open.dataSource),
      }),
      TypeOrmModule.forFeature([Package, Resource]),
      FilesModule.forRoot({
        storages: { default: memoryStorage() },
        actor: (context) => {
          contexts.push(context.getType<string>());
          return callUser(context);
        },
      }),
      ...(parts.imports ?? []),
    ],
    controllers: parts.controllers ?? [],
    providers: [Packages, ...(parts.providers ?? [])],
  };
  return { module, open, contexts };
}
