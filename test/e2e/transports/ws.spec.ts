import { once } from 'node:events';
import { WsAdapter } from '@nestjs/platform-ws';
import { WebSocket } from 'ws';
import { describeTransport } from '../../support/describe-transport.js';
import { describeGateway, gateway } from '../../support/gateway.js';
import { isNest11 } from '../../support/versions.js';

/** On Nest 11 an application has to send by itself what its exception filters emit. */
class SendingAdapter extends WsAdapter {
  override bindClientConnect(server: object, callback: (client: WebSocket, ...rest: unknown[]) => void): void {
    super.bindClientConnect(server as never, (client: WebSocket, ...rest: unknown[]) => {
      const emit = client.emit.bind(client) as (event: string | symbol, ...values: unknown[]) => boolean;
      client.emit = (event: string | symbol, ...values: unknown[]) => {
        if (event !== 'exception') return emit(event, ...values);
        client.send(JSON.stringify({ event, data: values[0] }));
        return true;
      };
      callback(client, ...rest);
    });
  }
}

const ws = gateway(
  (app) => (isNest11 ? new SendingAdapter(app) : new WsAdapter(app)),
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
