import { Agent, request } from 'node:http';

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

/** Sends the calls over so many connections, and resolves with how many were answered in a second. */
export async function load(port: number, calls: readonly Call[], connections = 16): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const left = calls.values();
  const worker = async (): Promise<void> => {
    for (const call of left) await send(port, call, agent);
  };
  const start = performance.now();
  try {
    await Promise.all(Array.from({ length: connections }, worker));
  } finally {
    agent.destroy();
  }
  return (calls.length * 1000) / (performance.now() - start);
}

function send(port: number, { method, path, body }: Call, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? '' : JSON.stringify(body);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
    const sent = request({ host: '127.0.0.1', port, method, path, agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        const { statusCode = 0 } = response;
        if (statusCode < 300) resolve();
        else reject(new Error(`${method} ${path} was answered with ${statusCode}: ${text.slice(0, 300)}`));
      });
    });
    sent.on('error', reject).end(payload);
  });
}
