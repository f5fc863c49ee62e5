import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** A proxy that gives each request to the next of these servers; it ends with the test. */
export async function proxyInTurn(
  urls: readonly string[],
): Promise<{ url: string; seen: { url: string; method: string }[] }> {
  const seen: { url: string; method: string }[] = [];
  const server = createServer((incoming, outgoing) => {
    const { method = '', headers } = incoming;
    const url = urls[seen.length % urls.length]!;
    seen.push({ url, method });
    const sent = request(url + incoming.url, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    sent.on('error', () => incoming.socket.destroy());
    incoming.pipe(sent);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}
