import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { Resource } from './emulator.js';
import { Refusal } from './objects.js';
import type { Objects } from './objects.js';

interface Session {
  bucket: string;
  name: string;
  resource: object;
  ifMatch: string | undefined;
  bytes: Buffer[];
  size: number;
  made?: Resource;
}

interface Call {
  incoming: IncomingMessage;
  outgoing: ServerResponse;
  query: URLSearchParams;
  bucket: string;
  name: string;
  address: string;
}

const MULTIPLE = 256 * 1024;

/** Uploads in steps: https://cloud.google.com/storage/docs/performing-resumable-uploads */
export class Sessions {
  readonly #all = new Map<string, Session>();

  constructor(private readonly objects: Objects) {}

  async serve({ incoming, outgoing, query, bucket, name, address }: Call): Promise<void> {
    const body = await buffer(incoming);
    const id = query.get('upload_id');
    if (id === null) {
      const session = randomUUID();
      const resource = (body.length === 0 ? {} : JSON.parse(body.toString())) as object;
      const ifMatch = query.get('ifGenerationMatch') ?? undefined;
      this.#all.set(session, { bucket, name, resource, ifMatch, bytes: [], size: 0 });
      const location = `${address}?${new URLSearchParams({ uploadType: 'resumable', name, upload_id: session })}`;
      return void outgoing.writeHead(200, { location }).end();
    }
    const session = this.#all.get(id);
    if (!session) throw new Refusal(404, 'no such session');
    const { made } = session;
    const [, range = '', total = '*'] = /^bytes (\S+)\/(\S+)$/.exec(incoming.headers['content-range'] ?? '') ?? [];
    if (!made && range !== '*') this.#add(session, body, Number(range.split('-')[0]), total);
    if (!made && total === '*') {
      const headers = session.size === 0 ? {} : { range: `bytes=0-${session.size - 1}` };
      return void outgoing.writeHead(308, headers).end();
    }
    session.made ??= await this.objects.create({ ...session, bytes: Buffer.concat(session.bytes) });
    outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(session.made));
  }

  #add(session: Session, body: Buffer, start: number, total: string): void {
    if (start > session.size) throw new Refusal(400, `there are only ${session.size} bytes`);
    if (total === '*' && body.length % MULTIPLE !== 0) throw new Refusal(400, 'a chunk has a multiple of 256 KiB');
    const news = body.subarray(session.size - start);
    session.bytes.push(news);
    session.size += news.length;
    if (total !== '*' && session.size !== Number(total)) throw new Refusal(400, 'the total is another one');
  }
}
