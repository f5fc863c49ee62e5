import { once } from 'node:events';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { io } from 'socket.io-client';
import { expect, it } from 'vitest';
import { describeTransport, startTransport } from '../../support/describe-transport.js';
import { describeGateway, gateway } from '../../support/gateway.js';

async function connected(url: string) {
  const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false });
  await once(socket as never, 'connect');
  return socket;
}

const socketIo = gateway(
  (app) => new IoAdapter(app),
  async (url) => {
    const socket = await connected(url);
    const answer = new Promise<{ event: string; data: unknown }>((resolve) => {
      socket.onAny((event: string, data: unknown) => resolve({ event, data }));
    });
    return { answer, send: (event, dto) => void socket.emit(event, dto), close: () => void socket.disconnect() };
  },
);

await describeTransport('a gateway of socket.io', socketIo);
describeGateway('a gateway of socket.io', socketIo);

it('acknowledges a message once its work is committed', async () => {
  const { app, titles, packages } = await startTransport(socketIo);
  const socket = await connected(await (app as never as { getUrl(): Promise<string> }).getUrl());
  const dto = { title: 'acknowledged' };
  expect(await socket.emitWithAck('create and acknowledge', dto)).toMatchObject({ ...dto, id: 1 });
  expect([await titles(), packages.committed]).toEqual([[dto.title], [dto.title]]);
  socket.disconnect();
});
