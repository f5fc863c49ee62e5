/** @module nestjs-files/storage/link */

import { request as requestHttp } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { LocationInvalidError, LocationNotFoundError } from '../../errors/storage.errors.js';
import { StorageOptionInvalidError } from '../../errors/setup.errors.js';
import { cutToRange } from '../cut-to-range.js';
import { exactLength } from '../exact-length.js';
import type { ByteRange, StorageAdapter } from '../storage-adapter.js';
import type { StorageLimits } from '../storage-limits.js';
import { Storage } from '../storage.js';
import { Deadline } from './deadline.js';
import { isPublicAddress, lookupPublic } from './public-internet.js';
import { LONGEST_TIMER } from '../../unit-of-work/ends-within.js';

export interface LinkStorageOptions extends StorageLimits {
  /**
   * The hosts that may be linked to: `['example.com', '*.example.org', 'files.example.net:8443']`. `*.` is any name
   * below.
   */
  domains: readonly string[];
  /** @default ['https'] */
  protocols?: readonly ('http' | 'https')[];
  /** Milliseconds without a byte after which a read is given up. @default 10_000 */
  timeout?: number;
  /** Milliseconds after which a read is given up although bytes come. @default 3_600_000, an hour */
  totalTimeout?: number;
  /** Reads also from addresses of private networks; for tests and intranets. @default false */
  allowPrivateNetworks?: boolean;
}

/**
 * Keeps links to bytes on other servers, and no bytes: `linkStorage({ domains: ['*.example.org'] })`, then
 * `files.register('https://data.example.org/a.csv', { storage: 'links' })`. Removing such a file forgets the link.
 */
export function linkStorage(options: LinkStorageOptions): Storage {
  return new Storage(new LinkAdapter(options), options);
}

const DOMAIN = /^(?:\*\.)?[a-z0-9.-]+(?::\d+)?$/;
const MAX_LENGTH = 1024;
const MAX_REDIRECTS = 5;

class LinkAdapter implements StorageAdapter {
  readonly #protocols: readonly string[];
  readonly #domains: readonly string[];
  readonly #timeout: number;
  readonly #totalTimeout: number;
  readonly #allowPrivate: boolean;

  constructor(options: LinkStorageOptions) {
    const { domains, protocols = ['https'], timeout = 10_000, totalTimeout = 3_600_000 } = options;
    const wrong = (protocols as readonly string[]).find((protocol) => !['http', 'https'].includes(protocol));
    if (wrong !== undefined) throw new StorageOptionInvalidError('protocols', wrong, "'http' or 'https'");
    if (!Array.isArray(domains) || domains.length === 0 || !domains.every((domain) => DOMAIN.test(domain)))
      throw new StorageOptionInvalidError('domains', domains, "hosts like 'example.com' or '*.example.org'");
    for (const [name, value] of Object.entries({ timeout, totalTimeout }))
      if (!(value > 0 && value <= LONGEST_TIMER))
        throw new StorageOptionInvalidError(name, value, `milliseconds, at most ${LONGEST_TIMER}`);
    this.#protocols = protocols.map((protocol) => `${protocol}:`);
    this.#domains = domains;
    this.#timeout = timeout;
    this.#totalTimeout = totalTimeout;
    this.#allowPrivate = options.allowPrivateNetworks ?? false;
  }

  /** A URL in the form of a browser, with an allowed protocol and host, without credentials. */
  assertLocation(location: string): void {
    const refuse = (reason: string) => new LocationInvalidError(location, reason);
    if (!URL.canParse(location)) throw refuse('it is not a URL');
    const url = new URL(location);
    if (location.length > MAX_LENGTH) throw refuse(`it is longer than ${MAX_LENGTH} characters`);
    // One location has one spelling, or it could be registered twice.
    if (url.href !== location) throw refuse(`it has to be written "${url.href}"`);
    if (!this.#protocols.includes(url.protocol)) throw refuse(`only ${this.#protocols.join(' and ')} may be linked to`);
    if (url.username !== '' || url.password !== '') throw refuse('it has credentials');
    if (url.hash !== '') throw refuse('it has a fragment, which no server gets to see');
    if (!this.#domains.some((domain) => isWithin(url.host, domain)))
      throw refuse(`the option "domains" does not name ${url.host}`);
    const address = url.hostname.replace(/^\[|\]$/g, '');
    if (!this.#allowPrivate && isIP(address) !== 0 && !isPublicAddress(address))
      throw refuse('its address is not public');
  }

  nameOf(location: string): string {
    const { pathname, hostname } = new URL(location);
    const last = pathname.split('/').findLast((segment) => segment !== '');
    try {
      return decodeURIComponent(last ?? hostname);
    } catch {
      return last ?? hostname;
    }
  }

  async read(location: string, range?: ByteRange): Promise<Readable> {
    const response = await this.#get(location, range);
    const { statusCode = 0 } = response;
    if (statusCode === 200) return range ? cutToRange(response, range) : response;
    if (statusCode === 206 && range) return partOf(response, range);
    response.destroy();
    if (statusCode === 404 || statusCode === 410) throw new LocationNotFoundError(location);
    throw new Error(`the server answered ${statusCode}`);
  }

  /** The bytes are somebody else's, and stay. */
  async remove(): Promise<void> {}

  async publicUrl(location: string): Promise<string> {
    return location;
  }

  async #get(location: string, range: ByteRange | undefined): Promise<IncomingMessage> {
    const deadline = new Deadline(this.#totalTimeout);
    try {
      const response = await this.#follow(location, range, deadline);
      response.once('close', () => deadline.lift());
      return response;
    } catch (error) {
      deadline.lift();
      throw error;
    }
  }

  async #follow(location: string, range: ByteRange | undefined, deadline: Deadline): Promise<IncomingMessage> {
    let url = location;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      // Also where a redirect leads: an allowed server must not send us to one that is not.
      this.assertLocation(url);
      const response = await this.#request(new URL(url), range, deadline);
      deadline.watch(response);
      const { location: next } = response.headers;
      const isRedirect = [301, 302, 303, 307, 308].includes(response.statusCode ?? 0);
      if (!isRedirect || next === undefined) return response;
      response.destroy();
      url = new URL(next, url).href;
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects`);
  }

  #request(url: URL, range: ByteRange | undefined, deadline: Deadline): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = url.protocol === 'https:' ? requestHttps : requestHttp;
      const asked = request(url, {
        agent: false,
        timeout: this.#timeout,
        lookup: this.#allowPrivate ? undefined : lookupPublic,
        // Encoded bytes are not the file's.
        headers: { 'accept-encoding': 'identity', ...(range && { range: `bytes=${range.start}-${range.end}` }) },
      });
      deadline.watch(asked);
      asked.on('timeout', () => asked.destroy(new Error(`nothing came for ${this.#timeout} ms`)));
      asked.on('error', reject);
      asked.on('response', (response) => {
        const encoding = response.headers['content-encoding'] ?? 'identity';
        if (encoding === 'identity') return resolve(response);
        asked.destroy();
        reject(new Error(`the server answered with the encoding ${encoding}`));
      });
      asked.end();
    });
  }
}

function isWithin(host: string, domain: string): boolean {
  return domain.startsWith('*.') ? host.endsWith(domain.slice(1)) : host === domain;
}

/** The range that the server says it sends, if that is the one it was asked for. */
function partOf(response: IncomingMessage, { start, end }: ByteRange): Readable {
  const told = response.headers['content-range'];
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(told ?? '') ?? [];
  const wantedLast = size === undefined || size === '*' ? end : Math.min(end, Number(size) - 1);
  if (Number(first) === start && Number(last) === wantedLast) {
    const length = wantedLast - start + 1;
    return exactLength(response, length, () => new Error(`fewer than ${length} bytes came of the range ${told}`));
  }
  response.destroy();
  throw new Error(`the server answered with the range ${told ?? '(none)'} instead of bytes ${start}-${wantedLast}`);
}
