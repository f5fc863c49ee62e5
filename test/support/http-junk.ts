import { BOUNDARY, FILE_PART, part } from './http-raw.js';

/** A request that nobody sends honestly. None of them may change anything. */
export interface Junk {
  raw: Buffer;
  isHead: boolean;
  /** Nothing can follow it on its connection. */
  isLast: boolean;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
const ROUTES = ['', '/content', '/transfer', '/pin', '/history', '/nothing'];
const IDS = [
  '7',
  'null',
  '%00',
  '%',
  '%zz',
  '%F0%9F%98%80',
  '..',
  '%2e%2e%2f',
  'x'.repeat(5000),
  '0',
  "'",
  'constructor',
];
const SCRAPS = [
  '0',
  '-',
  '-1',
  '1e9',
  '"',
  'W/"x"',
  '*',
  ',',
  '=',
  ';',
  '\t',
  'é',
  'bytes=',
  '99999999999999999999',
  '2024',
];
const CONDITIONS = ['Range', 'If-Range', 'If-Match', 'If-None-Match', 'If-Modified-Since', 'If-Unmodified-Since'];
const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  Number.MAX_VALUE,
  'a',
  '',
  '\0',
  '\ud800',
  [],
  {},
  [null],
  'x'.repeat(3000),
];
const FIELDS = [
  'id',
  'name',
  'size',
  'createdAt',
  'pinned',
  'owner',
  'ownerType',
  'location',
  'metadata.a',
  'constructor',
];
const OPERATORS = ['$eq', '$ne', '$lt', '$in', '$like', '$is', '$and', '$or', '$nothing', '__proto__'];
const USERS = ['anna', 'ben', 'admin', ''];

/** Makes junk about a file of `anna`; the same seed makes the same. */
export class JunkMaker {
  #state: number;

  constructor(
    seed: number,
    private readonly id: string,
  ) {
    this.#state = seed;
  }

  next(): Junk {
    const kind = this.#below(100);
    if (kind < 20) return this.#strange();
    if (kind < 45) return this.#conditional();
    if (kind < 65) return this.#list();
    if (kind < 85) return this.#form();
    return this.#change();
  }

  /** Any method on any route, of a file that is not there. */
  #strange(): Junk {
    const method = this.#one(METHODS);
    const id = this.#chance(2) ? this.#one(IDS) : this.#id();
    const body = this.#chance(3) ? this.#json() : '';
    return this.#request(method, `/files/${id}${this.#one(ROUTES)}`, this.#headers(), body);
  }

  /** Reads a file under conditions that make no sense. */
  #conditional(): Junk {
    const headers = Array.from({ length: 1 + this.#below(4) }, () => `${this.#one(CONDITIONS)}: ${this.#scraps()}`);
    if (this.#chance(4)) headers.unshift(`Range: bytes=${this.#below(9)}-${this.#chance(2) ? '' : this.#below(9)}`);
    if (this.#chance(6)) headers.unshift(`${this.#one(CONDITIONS)}: *`);
    return this.#request(this.#chance(4) ? 'HEAD' : 'GET', `/files/${this.id}/content`, headers, '');
  }

  #list(): Junk {
    const query = [
      this.#chance(2) ? `filters=${encode(this.#chance(8) ? this.#scraps() : JSON.stringify(this.#filter(0)))}` : '',
      this.#chance(3) ? `sort=${encode(this.#chance(2) ? this.#scraps() : JSON.stringify(this.#value()))}` : '',
      this.#chance(4) ? `limit=${encode(this.#scraps())}` : '',
      this.#chance(4) ? `after=${encode(this.#cursor())}` : '',
      this.#chance(6) ? `ownerType=${encode(this.#scraps())}&ownerId=${encode(this.#scraps())}` : '',
      this.#chance(10) ? 'filters[a]=1&sort[]=2&limit[length]=3&__proto__[x]=1' : '',
    ];
    return this.#request('GET', `/files?${query.filter(Boolean).join('&')}`, [], '');
  }

  /** Forms that are never complete and right. */
  #form(): Junk {
    const whole = `${part('name="storage"', 'default')}${FILE_PART}--${BOUNDARY}--\r\n`;
    const send = (body: string, type = `multipart/form-data; boundary=${BOUNDARY}`, more: string[] = []) =>
      this.#request('POST', '/files', [`Content-Type: ${type}`, ...more], body);
    switch (this.#below(this.#chance(8) ? 12 : 10)) {
      case 0:
        return send(
          whole,
          this.#one(['multipart/form-data', 'multipart/form-data; boundary=', 'multipart/mixed', 'a']),
        );
      case 1:
        return send(whole, `multipart/form-data; boundary=${this.#scraps().replaceAll('"', '')}y`);
      case 2:
        return send(
          `${part(`name="file"; filename="${'n'.repeat(256 + this.#below(3000))}"`, 'x')}--${BOUNDARY}--\r\n`,
        );
      case 3:
        return send(`${part('name="file"; filename="a"', 'x', `X-${'a'.repeat(90_000)}: b`)}`);
      case 4:
        return send(part(this.#scraps(), this.#scraps(), this.#scraps()) + `--${BOUNDARY}`);
      case 5:
        return { ...send(whole, undefined, [`Content-Length: ${whole.length + 1 + this.#below(1000)}`]), isLast: true };
      case 6:
        return { ...send(whole, undefined, [`Content-Length: ${this.#below(whole.length - 4)}`]), isLast: true };
      case 7:
        return send(FILE_PART.replace('name="file"', `name="${this.#scraps().replaceAll('"', '')}x"`) + whole);
      case 8:
        return send(whole.replace('default', `${this.#scraps()}x`));
      case 10:
        return send(`${part('name="a"', '').repeat(10_000)}--${BOUNDARY}--\r\n`);
      case 11:
        return send(FILE_PART + 'y'.repeat(200_000));
      default:
        return send(whole.slice(0, this.#below(whole.length - 4)));
    }
  }

  /** Changes of the file, by a stranger, or of a wrong form. */
  #change(): Junk {
    const [method, path] = this.#one([
      ['PATCH', ''],
      ['POST', '/transfer'],
      ['PUT', '/content'],
    ] as const);
    const type = this.#one(['application/json', 'application/octet-stream', 'text/plain', 'multipart/form-data']);
    if (this.#chance(2)) {
      const headers = [`Content-Type: ${type}`, 'x-user: ben'];
      return this.#request(
        method,
        `/files/${this.id}${path}`,
        headers,
        this.#chance(2) ? this.#json() : this.#scraps(),
      );
    }
    const wrong = method === 'PUT' ? 'If-Match: "x"' : 'Content-Type: application/json';
    const body = JSON.stringify({ name: this.#one([null, 7, [], {}]), ownerType: 7, ownerId: this.#value(), pin: 'x' });
    return this.#request(method, `/files/${this.id}${path}`, [wrong, 'x-user: anna'], body);
  }

  #request(method: string, path: string, headers: readonly string[], body: string): Junk {
    const named = this.#one(USERS);
    const user = named === '' || headers.some((header) => header.startsWith('x-user')) ? [] : [`x-user: ${named}`];
    const length = headers.some((header) => header.startsWith('Content-Length'))
      ? []
      : [`Content-Length: ${Buffer.byteLength(body, 'latin1')}`];
    const lines = [`${method} ${path} HTTP/1.1`, 'Host: x', ...user, ...length, ...headers, '', body];
    return { raw: Buffer.from(lines.join('\r\n'), 'latin1'), isHead: method === 'HEAD', isLast: false };
  }

  #headers(): string[] {
    const count = this.#below(4);
    const names = ['Accept', 'Content-Type', 'Expect', 'Cookie', 'X-Forwarded-For', ...CONDITIONS];
    const headers = Array.from({ length: count }, () => `${this.#one(names)}: ${this.#scraps()}`);
    return this.#chance(50) ? [...headers, `X-Bomb: ${'b'.repeat(20_000)}`] : headers;
  }

  #filter(depth: number): unknown {
    if (depth > 3 || this.#chance(4)) return this.#value();
    const keys = depth > 0 && this.#chance(2) ? OPERATORS : [...FIELDS, '$and', '$or'];
    const filter = Object.fromEntries(
      Array.from({ length: this.#below(3) }, () => [this.#one(keys), this.#filter(depth + 1)]),
    );
    return this.#chance(4) ? [filter] : filter;
  }

  #cursor(): string {
    if (this.#chance(2)) return this.#scraps();
    return Buffer.from(JSON.stringify(['id asc', this.#value(), this.#value()])).toString('base64url');
  }

  #json(): string {
    return this.#chance(3) ? this.#scraps() : JSON.stringify(this.#filter(0) ?? null);
  }

  #value(): unknown {
    return this.#chance(3) ? this.#scraps() : this.#one(VALUES);
  }

  #scraps(): string {
    return Array.from({ length: 1 + this.#below(4) }, () => this.#one(SCRAPS)).join('');
  }

  #id(): string {
    const hex = Array.from({ length: 32 }, () => this.#below(16).toString(16)).join('');
    return hex
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
      .slice(0, this.#chance(3) ? this.#below(36) : 36);
  }

  #one<T>(of: readonly T[]): T {
    return of[this.#below(of.length)] as T;
  }

  #chance(oneIn: number): boolean {
    return this.#below(oneIn) === 0;
  }

  /** mulberry32 */
  #below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }
}

function encode(text: string): string {
  return encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, '?'));
}
