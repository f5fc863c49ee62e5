import type { IncomingMessage } from 'node:http';
import { UseFilters, UseInterceptors, UsePipes, ValidationPipe } from '@nestjs/common';
import type { DynamicModule, INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessageBody, SubscribeMessage, WebSocketGateway, WsException } from '@nestjs/websockets';
import type { WebSocketAdapter } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { FilesErrorFilter, WithTaskQueue } from '../../lib/index.js';
import { startTransport } from './describe-transport.js';
import type { StartedTransport, TransportUnderTest } from './describe-transport.js';
import type { Package } from './ownership-app.js';
import { insertFile } from './ownership-databases.js';
import { GiveUp, PackageDto, Packages } from './transport-app.js';

/** A client that has connected as a user. */
export interface GatewayClient {
  send(event: string, dto: PackageDto): void;
  /** The first answer to any message. */
  readonly answer: Promise<{ event: string; data: unknown }>;
  close(): void;
}

export interface StartedGateway extends StartedTransport {
  connect(user: string): Promise<GatewayClient>;
}

interface Client {
  user?: { id: string | null };
  data?: { user?: { id: unknown } };
  handshake?: { query: Record<string, unknown> };
}

@WebSocketGateway()
@UseFilters(FilesErrorFilter)
@UsePipes(
  new ValidationPipe({
    transform: true,
    exceptionFactory: (errors) =>
      new WsException({ errors: errors.flatMap((e) => Object.values(e.constraints ?? {})) }),
  }),
)
class PackagesGateway {
  constructor(private readonly packages: Packages) {}

  /** The user is where applications have it: on a client of ws, in the data of one of socket.io. */
  handleConnection(client: Client, request?: IncomingMessage): void {
    if (client.data && client.handshake) client.data.user = { id: client.handshake.query['as'] };
    else client.user = { id: new URL(String(request?.url), 'ws://localhost').searchParams.get('as') };
  }

  handleDisconnect(): void {
    this.packages.clientGone.open();
  }

  @SubscribeMessage('create')
  @WithTaskQueue()
  async create(@MessageBody() dto: PackageDto) {
    return { event: 'created', data: await this.packages.create(dto) };
  }

  @SubscribeMessage('create and acknowledge')
  @WithTaskQueue()
  acknowledge(@MessageBody() dto: PackageDto): Promise<Package> {
    return this.packages.create(dto);
  }

  @SubscribeMessage('create in time')
  @WithTaskQueue()
  @UseInterceptors(GiveUp)
  inTime(@MessageBody() dto: PackageDto): Promise<Package> {
    return this.packages.create(dto);
  }
}

/** The same gateway behind each adapter. */
export function gateway(
  adapter: (app: INestApplication) => WebSocketAdapter,
  connect: (url: string) => Promise<GatewayClient>,
): TransportUnderTest<StartedGateway> {
  return {
    contextType: 'ws',
    providers: [PackagesGateway],
    told: {
      error: (code, message) => ({ status: 'error', code, message: expect.stringContaining(message) as string }),
      unknown: { status: 'error', message: 'Internal server error' },
    },
    start: async (module: DynamicModule) => {
      const app = await NestFactory.create(module, { logger: false, abortOnError: false });
      app.useWebSocketAdapter(adapter(app));
      await app.listen(0, '127.0.0.1');
      const url = await app.getUrl();
      const as = (user: string) => connect(`${url}?as=${user}`);
      return {
        app,
        connect: as,
        create: async (dto, user) => {
          const client = await as(user);
          client.send('create', dto);
          const { event, data } = await client.answer;
          client.close();
          if (event === 'exception') throw data;
          return data;
        },
      };
    },
  };
}

/** What clients of gateways may rely on besides. */
export function describeGateway(name: string, transport: TransportUnderTest<StartedGateway>): void {
  describe(`${name} and its clients`, () => {
    it('tells the client what validation says, by an exceptionFactory as on any gateway', async () => {
      const { create, dataSource } = await startTransport(transport);
      const attachmentId = await insertFile(dataSource, { ownerType: 'user', ownerId: 'ben' });
      await expect(create({ title: 'x', attachmentId }, 'ada')).rejects.toEqual({
        errors: ['attachmentId: The file does not exist, or you may not use it'],
      });
    });

    it('says which message an exception is about', async () => {
      const { create } = await startTransport(transport);
      await expect(create({ title: 'pinned' }, 'ada')).rejects.toMatchObject({
        cause: { pattern: 'create', data: { title: 'pinned' } },
      });
    });

    it('finishes its work when the client goes away', async () => {
      const { connect, packages, titles } = await startTransport(transport);
      const client = await connect('ada');
      client.send('create', { title: 'waits' });
      await packages.reached.opened;
      client.close();
      await packages.clientGone.opened;
      packages.goOn.open();
      await packages.ended('waits');
      expect([await titles(), packages.undone]).toEqual([['waits'], []]);
    });

    it('undoes its work when an interceptor gives up on it', async () => {
      const { connect, packages, titles } = await startTransport(transport);
      const client = await connect('ada');
      client.send('create in time', { title: 'waits' });
      expect(await client.answer).toMatchObject({ event: 'exception', data: { message: 'Internal server error' } });
      packages.goOn.open();
      await packages.ended('waits');
      expect([await titles(), packages.committed]).toEqual([[], []]);
      client.close();
    });
  });
}
