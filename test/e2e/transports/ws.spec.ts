import { once } from 'node:events';
import { WsAdapter } from '@nestjs/platform-ws';
import { WebSocket } from 'ws';
import { describeTransport } from '../../support/describe-transport.js';
import { describeGateway, gateway } from '../../support/gateway.js';

const ws = gateway(
  (app) => new WsAdapter(app),
  async (url) => {
    const socket = new WebSocket(url.replace('http', 'ws'));
    await once(socket, 'open');
    const answer = once(socket, 'message').then(
      ([text]) => JSON.parse(String(text)) as { event: string; data: unknown },
    );
    return {
      answer,
      send: (event, data) => socket.send(JSON.stringify({ event, data })),
      close: () => socket.terminate(),
    };
  },
);

await describeTransport('a gateway of ws', ws);
describeGateway('a gateway of ws', ws);
