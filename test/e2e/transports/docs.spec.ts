import { once } from 'node:events';
import type { Server } from 'node:net';
import { ApolloDriver } from '@nestjs/apollo';
import type { ApolloDriverConfig } from '@nestjs/apollo';
import {
  Controller,
  Injectable,
  Logger,
  Module,
  UseFilters,
  UseGuards,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import type { CanActivate, ExecutionContext, OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus, CommandHandler, CqrsModule, EventBus, EventsHandler } from '@nestjs/cqrs';
import { Args, Field, GraphQLModule, InputType, Int, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { ClientProxyFactory, MessagePattern, Payload, RpcException, Transport } from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { MessageBody, SubscribeMessage, WebSocketGateway, WsException } from '@nestjs/websockets';
import { IsString, validateOrReject } from 'class-validator';
import { lastValueFrom } from 'rxjs';
import { Column, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import {
  callUser,
  FilesAccess,
  FilesErrorFilter,
  FilesModule,
  FilesService,
  TaskQueue,
  TransferOwnership,
  WithTaskQueue,
} from '../../../lib/index.js';
import type { FilesModuleOptions } from '../../../lib/index.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { database } from '../../support/http-app.js';

@Entity()
class Package {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') attachmentId!: string;
}

@InputType()
class PackageInput {
  @Field(() => String) @TransferOwnership('package') attachmentId!: string;
}

class PackageDto {
  @IsString() @TransferOwnership('package') attachmentId!: string;
}

class CreatePackage extends PackageDto {}

class PackageCreated {
  constructor(readonly id: number) {}
}

@ObjectType('Package')
class PackageType {
  @Field(() => Int) id!: number;
}

@Resolver()
class PackagesResolver {
  constructor(@InjectRepository(Package) private readonly packages: Repository<Package>) {}

  @Query(() => Int)
  count() {
    return this.packages.count();
  }

  @Mutation(() => PackageType)
  @WithTaskQueue()
  createPackage(@Args('input') input: PackageInput) {
    return this.packages.save({ ...input });
  }
}

@Injectable()
class Sessions extends Map<string, { id: string }> {}

@Injectable()
class SignedIn implements CanActivate {
  constructor(private readonly sessions: Sessions) {}

  canActivate(context: ExecutionContext): boolean {
    const message = context.switchToRpc();
    message.getContext().user = this.sessions.get(message.getData().token);
    return true;
  }
}

@Controller()
@UseFilters(FilesErrorFilter)
@UsePipes(new ValidationPipe({ exceptionFactory: (errors) => new RpcException(errors) }))
class Messages {
  constructor(@InjectRepository(Package) private readonly packages: Repository<Package>) {}

  @MessagePattern('create')
  @UseGuards(SignedIn)
  @WithTaskQueue()
  create(@Payload() { attachmentId }: PackageDto) {
    return this.packages.save({ attachmentId });
  }
}

@WebSocketGateway()
@UseFilters(FilesErrorFilter)
@UsePipes(new ValidationPipe({ exceptionFactory: (errors) => new WsException(errors) }))
export class PackagesGateway {
  constructor(@InjectRepository(Package) private readonly packages: Repository<Package>) {}

  handleConnection(client: object) {
    Object.assign(client, { user: { id: 'ada' } });
  }

  @SubscribeMessage('create')
  @WithTaskQueue()
  async create(@MessageBody() dto: PackageDto) {
    return { event: 'created', data: await this.packages.save({ ...dto }) };
  }
}

@CommandHandler(CreatePackage)
class CreatePackageHandler {
  constructor(
    @InjectRepository(Package) private readonly packages: Repository<Package>,
    private readonly queue: TaskQueue,
    private readonly events: EventBus,
  ) {}

  @WithTaskQueue()
  async execute(command: CreatePackage) {
    await validateOrReject(command);
    const saved = await this.packages.save({ ...command });
    this.queue.afterCommit(() => this.events.publish(new PackageCreated(saved.id)));
    return saved;
  }
}

@EventsHandler(PackageCreated)
class Announcements {
  readonly ids: number[] = [];

  handle({ id }: PackageCreated) {
    this.ids.push(id);
  }
}

@Injectable()
class Importer {
  constructor(@InjectRepository(Package) private readonly packages: Repository<Package>) {}

  @WithTaskQueue()
  async importOne(dto: PackageDto) {
    await validateOrReject(dto);
    return this.packages.save({ ...dto });
  }
}

function appWith(actor?: Pick<FilesModuleOptions, 'actor'>) {
  @Module({
    imports: [
      database(),
      TypeOrmModule.forFeature([Package]),
      FilesModule.forRoot({ storages: { default: memoryStorage() }, ...actor }),
      GraphQLModule.forRoot<ApolloDriverConfig>({
        driver: ApolloDriver,
        autoSchemaFile: true,
        graphiql: false,
        context: { user: { id: 'ada' } },
      }),
      CqrsModule.forRoot(),
    ],
    controllers: [Messages],
    providers: [PackagesResolver, Sessions, PackagesGateway, CreatePackageHandler, Announcements, Importer],
  })
  class AppModule {}
  return AppModule;
}

/** One application behind all transports. */
async function start(actor?: Pick<FilesModuleOptions, 'actor'>) {
  const app = await NestFactory.create(appWith(actor), { logger: false, abortOnError: false });
  onTestFinished(() => app.close());
  app.useWebSocketAdapter(new WsAdapter(app));
  app.useGlobalPipes(new ValidationPipe());
  const here = { host: '127.0.0.1', port: 0 };
  const service = app.connectMicroservice({ transport: Transport.TCP, options: here });
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  const { port } = service.unwrap<Server>().address() as { port: number };
  const peer = ClientProxyFactory.create({ transport: Transport.TCP, options: { ...here, port } });
  onTestFinished(() => peer.close());
  return { app, peer, url: await app.getUrl() };
}

async function fileOf(files: FilesService) {
  const owner = { type: 'user', id: 'ada' };
  const { id } = await files.create(Buffer.from('hello'), { name: 'hello.txt', owner });
  return { id, owner: async () => (await files.findOrFail(id)).ownerType };
}

beforeAll(() => Logger.overrideLogger(false));

it('runs every example of docs/transports.md', async () => {
  expect(await examplesNotRun('transports.md', import.meta.url)).toEqual([]);
});

it('attaches files as docs/transports.md says, over every transport of one application', async () => {
  const { app, peer, url } = await start();
  const files = app.get(FilesService);
  const [resolved, sent] = [await fileOf(files), await fileOf(files)];
  const [emitted, executed] = [await fileOf(files), await fileOf(files)];

  const query = `mutation { createPackage(input: { attachmentId: "${resolved.id}" }) { id } }`;
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) });
  expect(await response.json()).toEqual({ data: { createPackage: { id: 1 } } });

  app.get(Sessions).set('a token', { id: 'ada' });
  const message = { attachmentId: sent.id, token: 'a token' };
  expect(await lastValueFrom(peer.send('create', message))).toMatchObject({ id: 2 });

  const socket = new WebSocket(url.replace('http', 'ws'));
  await once(socket, 'open');
  socket.send(JSON.stringify({ event: 'create', data: { attachmentId: emitted.id } }));
  expect(JSON.parse(String((await once(socket, 'message'))[0]))).toMatchObject({ event: 'created', data: { id: 3 } });
  socket.terminate();

  const command = Object.assign(new CreatePackage(), { attachmentId: executed.id });
  const execute = () => app.get(CommandBus, { strict: false }).execute(command);
  await expect(execute()).rejects.toHaveLength(1);
  await app.get(FilesAccess).actAs({ type: 'user', id: 'ada' }, execute);
  expect(app.get(Announcements).ids).toEqual([4]);

  const owners = await Promise.all([resolved, sent, emitted, executed].map((file) => file.owner()));
  expect(owners).toEqual(['package', 'package', 'package', 'package']);
});

it('believes peers where the application says so', async () => {
  const { app, peer } = await start({
    actor: (context) => {
      const user = context.getType() === 'rpc' ? context.switchToRpc().getData().user : undefined;
      return user ? { type: 'user', id: user.id } : callUser(context);
    },
  });
  const file = await fileOf(app.get(FilesService));
  const create = (user: object) => lastValueFrom(peer.send('create', { attachmentId: file.id, user }));
  await expect(create({ id: 'ben' })).rejects.toHaveLength(1);
  expect(await create({ id: 'ada' })).toMatchObject({ id: 1 });
});

it('imports in a script as docs/transports.md says', async () => {
  let dto = new PackageDto();
  let owner: unknown;

  /** What is there before the script, and what is left after it. */
  @Injectable()
  class Around implements OnApplicationBootstrap, OnModuleDestroy {
    constructor(private readonly files: FilesService) {}
    async onApplicationBootstrap() {
      dto = Object.assign(new PackageDto(), { attachmentId: (await fileOf(this.files)).id });
    }
    async onModuleDestroy() {
      owner = (await this.files.findOrFail(dto.attachmentId)).ownerType;
    }
  }
  @Module({ imports: [appWith()], providers: [Around] })
  class AppModule {}

  const app = await NestFactory.createApplicationContext(AppModule);
  const importer = app.get(Importer);
  await app.get(FilesAccess).actAs({ type: 'user', id: 'ada' }, () => importer.importOne(dto));
  await app.close();
  expect(owner).toBe('package');
});
