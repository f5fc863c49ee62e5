import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer, json } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Objects, Refusal } from './objects.js';
import { Sessions } from './sessions.js';
import { refusalOf } from './signature.js';
import type { Signer } from './signature.js';

interface Cors {
  origin: string[];
  method: string[];
  responseHeader: string[];
}

/** A request to the front, which answers it. */
interface Call {
  incoming: IncomingMessage;
  outgoing: ServerResponse;
  query: URLSearchParams;
  bucket: string;
  name: string;
}

/**
 * Before the emulator, which ignores conditions and signatures, takes an upload in steps for complete after the first
 * one, and composes nothing. This does these as Google documents them, and leaves the rest to the emulator.
 */
export class Front {
  readonly objects: Objects;
  readonly #sessions: Sessions;
  readonly #buckets = new Map<string, { cors: Cors[]; isPublic: boolean }>();
  readonly #rewrites = new Map<string, number>();
  /** In how many requests an object is rewritten. */
  rewriteSteps = 1;
  readonly #server = createServer((incoming, outgoing) => void this.#serve(incoming, outgoing));

  constructor(
    emulator: string,
    private readonly signer: Signer,
  ) {
    this.objects = new Objects(emulator);
    this.#sessions = new Sessions(this.objects);
  }

  async listen(): Promise<URL> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  addBucket(name: string, isPublic = false): void {
    this.#buckets.set(name, { cors: [], isPublic });
  }

  removeBucket(name: string): void {
    this.#buckets.delete(name);
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    try {
      await this.#route(incoming, outgoing);
    } catch (error) {
      const { code, message } = error instanceof Refusal ? error : { code: 500, message: String(error) };
      if (outgoing.headersSent) return void outgoing.destroy();
      // Content that is refused is told of in plain text.
      const isText = incoming.url?.includes('alt=media') || incoming.url?.includes('X-Goog-Algorithm');
      if (isText) outgoing.writeHead(code, { 'content-type': 'text/plain' }).end(message);
      else send(outgoing, { error: { code, message, errors: [{ message, reason: 'test' }] } }, code);
    }
  }

  async #route(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(incoming.url ?? '', 'http://host');
    const [, , bucket = '', , object] =
      /^(\/upload)?\/storage\/v1\/b\/([^/]+)(\/o(?:\/([^/]+))?)?/.exec(pathname) ?? [];
    const [, direct = '', path] = /^\/([^/]+)\/(.+)$/.exec(pathname) ?? [];
    const call = { incoming, outgoing, query };
    for (const [name, value] of query)
      if (value === '' && name !== 'prefix') throw new Refusal(400, `${name} is empty`);
    if (bucket === '') {
      this.#assertBucket(direct);
      return this.#direct({ ...call, bucket: direct, name: decodeURIComponent(path ?? '') });
    }
    this.#assertBucket(bucket);
    const one = {
      ...call,
      bucket,
      name: object === undefined ? (query.get('name') ?? '') : decodeURIComponent(object),
    };
    if (pathname.startsWith('/upload/')) return this.#upload(one);
    if (pathname.includes('/rewriteTo/')) return this.#rewrite(one, decodeURIComponent(pathname.split('/o/')[2] ?? ''));
    if (pathname.endsWith('/compose')) return this.#compose(one);
    if (incoming.method === 'PATCH') {
      const { cors } = (await json(incoming)) as { cors: Cors[] };
      this.#buckets.set(bucket, { ...this.#assertBucket(bucket), cors });
      return send(outgoing, {});
    }
    if (object === undefined) return send(outgoing, await this.objects.list(bucket, query));
    if (incoming.method === 'DELETE') {
      await this.objects.remove(bucket, one.name);
      return void outgoing.writeHead(204).end();
    }
    if (query.get('alt') === 'media') return this.#content(one);
    return send(outgoing, await this.objects.get(bucket, one.name));
  }

  #assertBucket(name: string) {
    const found = this.#buckets.get(name);
    if (!found) throw new Refusal(404, 'The specified bucket does not exist.');
    return found;
  }

  /** https://cloud.google.com/storage/docs/json_api/v1/objects/insert */
  async #upload({ incoming, outgoing, query, bucket, name }: Call): Promise<void> {
    if (query.get('uploadType') === 'resumable') {
      const { pathname } = new URL(incoming.url ?? '', 'http://host');
      const address = `http://${incoming.headers.host}${pathname}`;
      return this.#sessions.serve({ incoming, outgoing, query, bucket, name, address });
    }
    const [, boundary = ''] = /boundary="?([^";]+)/.exec(incoming.headers['content-type'] ?? '') ?? [];
    const body = await buffer(incoming);
    const between = Buffer.from(`\r\n--${boundary}`);
    const first = body.indexOf('\r\n\r\n') + 4;
    const second = body.indexOf(between, first);
    const content = body.indexOf('\r\n\r\n', second + between.length) + 4;
    const resource = JSON.parse(body.subarray(first, second).toString()) as object;
    const bytes = body.subarray(content, body.lastIndexOf(`\r\n--${boundary}--`));
    send(outgoing, await this.objects.create({ bucket, name, bytes, resource, ifMatch: conditionOf(query) }));
  }

  /** https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite */
  async #rewrite({ incoming, outgoing, query, bucket, name }: Call, to: string): Promise<void> {
    const resource = (await json(incoming)) as object;
    await this.objects.get(bucket, name);
    const token = query.get('rewriteToken') ?? `${name}>${to}:${this.#rewrites.size}`;
    const step = (this.#rewrites.get(token) ?? 0) + 1;
    this.#rewrites.set(token, step);
    if (step < this.rewriteSteps) return send(outgoing, { done: false, rewriteToken: token });
    const made = await this.objects.copy({ bucket, from: name, to, resource, ifMatch: conditionOf(query) });
    send(outgoing, { done: true, resource: made });
  }

  /** https://cloud.google.com/storage/docs/json_api/v1/objects/compose */
  async #compose({ incoming, outgoing, query, bucket, name }: Call): Promise<void> {
    const { sourceObjects, destination } = (await json(incoming)) as {
      sourceObjects: { name: string; objectPreconditions?: { ifGenerationMatch?: string } }[];
      destination: object;
    };
    if (sourceObjects.length === 0 || sourceObjects.length > 32)
      throw new Refusal(
        400,
        `The number of source components provided (${sourceObjects.length}) is not within 1 and 32`,
      );
    const sources = sourceObjects.map(
      (source) => [source.name, source.objectPreconditions?.ifGenerationMatch] as const,
    );
    const ifMatch = conditionOf(query);
    send(outgoing, await this.objects.compose({ bucket, name, sources, resource: destination, ifMatch }));
  }

  async #content({ incoming, outgoing, bucket, name }: Call, headers: Record<string, string> = {}): Promise<void> {
    const { contentType = '', cacheControl, size } = await this.objects.get(bucket, name);
    const { range } = incoming.headers;
    const start = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
    if (range !== undefined && start >= Number(size))
      throw new Refusal(416, 'The requested range cannot be satisfied.');
    const answer = await this.objects.emulator.read(bucket, name, range === undefined ? {} : { range });
    const { 'content-length': length, 'content-encoding': encoding } = answer.headers;
    outgoing.writeHead(answer.statusCode ?? 500, {
      'content-type': contentType,
      ...(cacheControl && { 'cache-control': cacheControl }),
      ...(encoding && { 'content-encoding': encoding }),
      ...(length && { 'content-length': length }),
      ...headers,
    });
    await pipeline(answer, outgoing).catch(() => outgoing.destroy());
  }

  /** The XML API, with a signature: https://cloud.google.com/storage/docs/access-control/signed-urls */
  async #direct(call: Call): Promise<void> {
    const { incoming, outgoing, query, bucket, name } = call;
    const { cors, isPublic } = this.#assertBucket(bucket);
    const { origin = '', 'access-control-request-method': asked = '' } = incoming.headers;
    const allowed = cors.find(
      (one) => one.origin.includes(origin) && one.method.includes(asked || incoming.method || ''),
    );
    if (allowed) outgoing.setHeader('access-control-allow-origin', origin);
    if (incoming.method === 'OPTIONS') {
      if (allowed) outgoing.setHeader('access-control-allow-headers', allowed.responseHeader.join(','));
      return void outgoing.writeHead(200).end();
    }
    const reason = query.has('X-Goog-Algorithm')
      ? refusalOf(incoming, this.signer)
      : isPublic
        ? undefined
        : 'access denied';
    if (reason !== undefined) throw new Refusal(403, reason);
    if (incoming.method === 'GET') return this.#content(call, overridden(query));
    if (incoming.method !== 'PUT') throw new Refusal(405, 'not in this front');
    const bytes = await buffer(incoming);
    const { 'x-goog-content-length-range': range, 'x-goog-if-generation-match': ifMatch } = incoming.headers;
    const [least = 0, most = Infinity] = range === undefined ? [] : String(range).split(',').map(Number);
    if (bytes.length < least) throw new Refusal(400, 'EntityTooSmall');
    if (bytes.length > most) throw new Refusal(400, 'EntityTooLarge');
    const { 'content-type': contentType, 'cache-control': cacheControl } = incoming.headers;
    const resource = { contentType, cacheControl };
    await this.objects.create({ bucket, name, bytes, resource, ifMatch: ifMatch as string | undefined });
    outgoing.writeHead(200).end();
  }
}

function conditionOf(query: URLSearchParams): string | undefined {
  return query.get('ifGenerationMatch') ?? undefined;
}

function overridden(query: URLSearchParams): Record<string, string> {
  const names = ['content-type', 'content-disposition', 'cache-control'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = query.get(`response-${name}`);
      return value === null ? [] : [[name, value]];
    }),
  );
}

function send(outgoing: ServerResponse, body: object, status = 200): void {
  outgoing.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
}
