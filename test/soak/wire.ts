import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { BOUNDARY, form, part } from '../support/http-raw.js';
import { bytesOf } from './content.js';
import type { Content } from './content.js';

/** When the client goes away: with half of the body sent, or so many milliseconds after all of it. */
export type GoneAway = 'halfway' | number;

export interface Message {
  readonly method: string;
  readonly path: string;
  readonly user?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer;
  readonly goneAway?: GoneAway | undefined;
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

// Longer than any unit of work may take.
const PATIENCE = 90_000;

/** One client's connection, kept alive. */
export class Wire {
  #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  /** Requests that got no answer in all that time. */
  hung = 0;

  constructor(
    private readonly url: string,
    private readonly user: string,
  ) {}

  /** What was answered; undefined where nothing was, or the client did not wait for it. */
  async send({ method, path, user = this.user, headers, body, goneAway }: Message): Promise<Answer | undefined> {
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const sent = request(this.url + path, {
      method,
      agent: this.#agent,
      headers: { 'x-user': user, ...length, ...headers },
    });
    const patience = setTimeout(() => {
      this.hung++;
      sent.destroy();
    }, PATIENCE);
    let leaving: NodeJS.Timeout | undefined;
    try {
      const answered = new Promise<IncomingMessage>((resolve, reject) => {
        sent.once('response', resolve).on('error', reject);
      });
      if (goneAway === 'halfway' && body) sent.write(body.subarray(0, body.length >> 1), () => sent.destroy());
      else sent.end(body);
      if (typeof goneAway === 'number') leaving = setTimeout(() => sent.destroy(), goneAway);
      const response = await answered;
      return { status: response.statusCode ?? 0, body: await buffer(response) };
    } catch {
      return undefined;
    } finally {
      clearTimeout(patience);
      clearTimeout(leaving);
    }
  }

  hangUp(): void {
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 });
  }
}

export function json(value: unknown): Pick<Message, 'headers' | 'body'> {
  return { headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(value)) };
}

/** A form with texts, and with files by their field. */
export function formOf(
  texts: Record<string, string>,
  files: readonly { field: string; name: string; content: Content }[],
): Pick<Message, 'headers' | 'body'> {
  const parts = [
    ...Object.entries(texts).map(([name, value]) => part(`name="${name}"`, value)),
    ...files.map(({ field, name, content }) =>
      part(`name="${field}"; filename="${name}"`, bytesOf(content).toString('latin1'), 'Content-Type: text/plain'),
    ),
  ];
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
    body: Buffer.from(form(...parts), 'latin1'),
  };
}

/** The code of an error, if the answer has one. */
export function codeOf({ body }: Answer): string | undefined {
  try {
    return (JSON.parse(body.toString()) as { code?: string }).code;
  } catch {
    return undefined;
  }
}
