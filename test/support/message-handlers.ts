import { randomUUID } from 'node:crypto';
import { Controller, Injectable, UseGuards, UseInterceptors, UsePipes, ValidationPipe } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxyFactory, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import type { ClientOptions, ClientProxy, MicroserviceOptions } from '@nestjs/microservices';
import { concatMap, from, lastValueFrom } from 'rxjs';
import type { Observable } from 'rxjs';
import { expect } from 'vitest';
import { WithTaskQueue } from '../../lib/index.js';
import type { StartedTransport, TransportUnderTest } from './describe-transport.js';
import type { Package } from './ownership-app.js';
import { GiveUp, PackageDto, Packages } from './transport-app.js';

// A broker is shared with whoever else tests at the moment.
const run = randomUUID();
const CREATE = `packages.create.${run}`;
const IN_TIME = `packages.create-in-time.${run}`;
const IMPORT = `packages.import.${run}`;
const CREATE_ALL = `packages.create-all.${run}`;

/** Leaves the user where guards of message handlers can: on the context of the message. */
@Injectable()
class SignIn implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const message = context.switchToRpc();
    Object.assign(message.getContext<object>(), { user: { id: message.getData<{ as: string }>().as } });
    return true;
  }
}

@Controller()
@UseGuards(SignIn)
@UsePipes(
  new ValidationPipe({
    transform: true,
    exceptionFactory: (errors) =>
      new RpcException({ errors: errors.flatMap((e) => Object.values(e.constraints ?? {})) }),
  }),
)
class MessageHandlers {
  constructor(private readonly packages: Packages) {}

  @MessagePattern(CREATE)
  @WithTaskQueue()
  create(@Payload('dto') dto: PackageDto): Promise<Package> {
    return this.packages.create(dto);
  }

  @MessagePattern(IN_TIME)
  @WithTaskQueue()
  @UseInterceptors(GiveUp)
  createInTime(@Payload('dto') dto: PackageDto): Promise<Package> {
    return this.packages.create(dto);
  }

  @EventPattern<string>(IMPORT)
  @WithTaskQueue()
  async import(@Payload('dto') dto: PackageDto): Promise<void> {
    await this.packages.create(dto);
  }

  @MessagePattern(CREATE_ALL)
  @WithTaskQueue()
  createAll(@Payload('titles') titles: string[]): Observable<Package> {
    return from(titles).pipe(concatMap((title) => this.packages.create({ title })));
  }
}

export interface StartedMicroservice extends StartedTransport {
  readonly client: ClientProxy;
  createInTime(dto: PackageDto): Promise<unknown>;
  /** All that a handler answers with a stream. */
  createAll(titles: string[]): Observable<Package>;
  import(dto: PackageDto): Promise<unknown>;
}

/** The same handlers behind each kind of microservice. */
export function microservice(
  options: MicroserviceOptions,
  clientOptions: (unwrapped: unknown) => ClientOptions,
): TransportUnderTest<StartedMicroservice> {
  return {
    contextType: 'rpc',
    controllers: [MessageHandlers],
    told: {
      error: (code, message) => ({ status: 'error', code, message: expect.stringContaining(message) as string }),
      unknown: { status: 'error', message: 'Internal server error' },
    },
    start: async (module) => {
      const app = await NestFactory.createMicroservice<MicroserviceOptions>(module, {
        ...options,
        logger: false,
        abortOnError: false,
      });
      await app.listen();
      const client = ClientProxyFactory.create(clientOptions(app.unwrap()));
      await client.connect();
      return {
        app,
        client,
        create: (dto, as) => lastValueFrom(client.send(CREATE, { as, dto })),
        createInTime: (dto) => lastValueFrom(client.send(IN_TIME, { as: 'ada', dto })),
        createAll: (titles) => client.send(CREATE_ALL, { as: 'ada', titles }),
        import: (dto) => lastValueFrom(client.emit(IMPORT, { as: 'ada', dto }), { defaultValue: undefined }),
        close: () => client.close(),
      };
    },
  };
}
