import { createServer, request } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/**
 * What becomes of a request: `request` breaks the connection while it is sent, `answer` once the server has done it; a
 * number breaks it after as many bytes of the answer. `hold` passes it on when it is let go. Headers are put in place
 * of those of the answer.
 */
export type Disturbance = 'request' | 'answer' | 'hold' | number | Record<string, string> | undefined;

export interface Asked {
  /** `PUT /container/blob?comp=block`. */
  readonly line: string;
  readonly headers: IncomingHttpHeaders;
}

/** A proxy before a server of HTTP, which breaks connections. */
export interface Wire {
  readonly url: URL;
  /** What was asked since the last `disturb()`. */
  readonly asked: readonly Asked[];
  /** How many answers are not sent completely, nor given up. */
  readonly busy: number;
  /** How many requests are held. */
  readonly held: number;
  disturb(how: (asked: Asked) => Disturbance): void;
  /** Passes on what is held, and whatever comes. */
  letGo(): void;
}

/** Starts a wire to the server; it ends with the test. */
export async function wireTo(target: URL): Promise<Wire> {
  let asked: Asked[] = [];
  let held: (() => void)[] = [];
  let how: (asked: Asked) => Disturbance = () => undefined;
  let busy = 0;

  const pass = (incoming: IncomingMessage, outgoing: ServerResponse, disturbance: Disturbance): void => {
    const { method, url: path, headers, socket } = incoming;
    const upstream = request({ host: target.hostname, port: target.port, method, path, headers }, (answer) => {
      if (disturbance === 'answer') return void answer.resume().once('end', () => socket.destroy());
      const changed = typeof disturbance === 'object' ? disturbance : {};
      outgoing.writeHead(answer.statusCode ?? 500, { ...answer.headers, ...changed });
      let sent = 0;
      answer.on('data', (chunk: Buffer) => {
        sent += chunk.length;
        if (typeof disturbance === 'number' && sent > disturbance) {
          outgoing.write(chunk.subarray(0, chunk.length - (sent - disturbance)), () => socket.destroy());
          answer.destroy();
        } else if (!outgoing.write(chunk)) answer.pause();
      });
      outgoing.on('drain', () => answer.resume());
      answer.once('end', () => outgoing.end());
    });
    upstream.on('error', () => socket.destroy());
    outgoing.once('close', () => upstream.destroy());
    incoming.pipe(upstream);
  };

  const server = createServer((incoming, outgoing) => {
    busy++;
    outgoing.once('close', () => busy--);
    const one = { line: `${incoming.method} ${incoming.url}`, headers: incoming.headers };
    asked.push(one);
    const disturbance = how(one);
    if (disturbance === 'request') incoming.socket.destroy();
    else if (disturbance === 'hold') held.push(() => pass(incoming, outgoing, undefined));
    else pass(incoming, outgoing, disturbance);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url,
    get asked() {
      return asked;
    },
    get busy() {
      return busy;
    },
    get held() {
      return held.length;
    },
    disturb(next) {
      [how, asked] = [next, []];
    },
    letGo() {
      how = () => undefined;
      for (const go of held.splice(0)) go();
      held = [];
    },
  };
}

/** Disturbs only the first request that matches. */
export function once(pattern: RegExp, disturbance: Disturbance): (asked: Asked) => Disturbance {
  let isDone = false;
  return ({ line }) => {
    if (isDone || !pattern.test(line)) return undefined;
    isDone = true;
    return disturbance;
  };
}
