import { Agent, request } from 'node:http';

export interface Call {
  readonly method: string;
  readonly path: string;
  /** A buffer, or what is sent as JSON. */
  readonly body?: unknown;
  /** In place of those of JSON. */
  readonly headers?: Readonly<Record<string, string>>;
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

function send(port: number, { method, path, body, headers: given }: Call, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? '' : Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const ofBody = given === undefined || payload.length > 0 ? { 'content-length': Buffer.byteLength(payload) } : {};
    const headers = { ...(given ?? { 'content-type': 'application/json' }), ...ofBody };
    const sent = request({ host: '127.0.0.1', port, method, path, agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        const { statusCode = 0 } = response;
        if (statusCode < 300 || statusCode === 304) resolve();
        else reject(new Error(`${method} ${path} was answered with ${statusCode}: ${text.slice(0, 300)}`));
      });
    });
    sent.on('error', reject).end(payload);
  });
}
