import { createHash, Hash } from 'node:crypto';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { actionApp } from '../../support/action-app.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';
import type { HttpApp } from '../../support/http-app.js';
import { BOUNDARY, form, part } from '../../support/http-raw.js';

const sha256 = (bytes: string): string => `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`;
const sha512 = (bytes: string): string => `sha-512=:${createHash('sha512').update(bytes).digest('base64')}:`;

interface Sent {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function send(app: HttpApp, method: string, path: string, body: string, headers: object): Promise<Sent> {
  const response = await app.fetch(path, { method, body, headers: { ...headers }, user: 'anna' });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** Counts the bytes that are hashed from now on. */
function countHashed(): () => number {
  let count = 0;
  const { update } = Hash.prototype;
  const spy = vi.spyOn(Hash.prototype, 'update').mockImplementation(function (this: Hash, data, ...encoding) {
    count += Buffer.byteLength(data as string | Uint8Array);
    return Reflect.apply(update, this, [data, ...encoding]) as Hash;
  } as Hash['update']);
  onTestFinished(() => spy.mockRestore());
  return () => count;
}

const FORM = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };
const OCTETS = { 'content-type': 'application/octet-stream' };
const body = form(part('name="file"; filename="a.txt"', 'hello'));

describe.each(PLATFORMS)('digests on %s', (platform) => {
  it.each([
    ['Content-Digest', sha256(body)],
    ['Repr-Digest', sha512(body)],
    ['Content-Digest', `${sha512(body)}, ${sha256(body)};age=1`],
    ['Content-Digest', `unixsum=:MQ==:, ${sha256(body)}`],
    ['Content-Digest', 'md5=:AAAAAAAAAAAAAAAAAAAAAA==:'],
    // The name of a property that every object has is no algorithm.
    ['Content-Digest', 'constructor=:AAAA:'],
  ])('takes a form that has its %s: %s', async (header, value) => {
    const app = await startApp({ platform });
    const { status } = await send(app, 'POST', '/files', body, { ...FORM, [header]: value });
    expect(status).toBe(201);
    expect(await app.stored()).toHaveLength(1);
  });

  it.each([
    ['Content-Digest', sha256('other')],
    ['Repr-Digest', sha512('other')],
    ['Content-Digest', `${sha256(body)}, ${sha512('other')}`],
  ])('refuses a form that does not have its %s: %s, and keeps nothing', async (header, value) => {
    const app = await startApp({ platform });
    const { status, body: error } = await send(app, 'POST', '/files', body, { ...FORM, [header]: value });
    expect([status, error['code']]).toEqual([400, 'FILES_DIGEST_MISMATCHED']);
    expect(await app.stored()).toEqual([]);
    const files = await (await app.fetch('/files', { user: 'anna' })).json();
    expect(files).toMatchObject({ count: 0 });
  });

  it.each([
    ['the last of an algorithm counts', [sha256('other'), sha256(body)], 201],
    ['the last of an algorithm is wrong', [sha256(body), sha256('other')], 400],
    ['one that does not count is malformed', ['sha-256=:AAAA:', sha256(body)], 400],
  ])('compares one digest of each algorithm: %s', async (_, members, expected) => {
    const app = await startApp({ platform });
    const { status } = await send(app, 'POST', '/files', body, { ...FORM, 'Content-Digest': members.join(', ') });
    expect(status).toBe(expected);
    expect(await app.stored()).toHaveLength(expected === 201 ? 1 : 0);
  });

  it('hashes a form once for each algorithm, however many digests there are', async () => {
    const app = await startApp({ platform });
    const long = form(part('name="file"; filename="a.txt"', 'x'.repeat(100_000)));
    const hashed = countHashed();
    const headers = {
      ...FORM,
      'Content-Digest': Array.from({ length: 130 }, () => sha256(long)).join(', '),
      'Repr-Digest': [sha256(long), sha512(long), ...Array.from({ length: 20 }, () => sha512(long))].join(', '),
    };
    const before = hashed();
    expect((await send(app, 'POST', '/files', long, headers)).status).toBe(201);
    // By either algorithm, and once more as the content of the file.
    const times = (hashed() - before) / long.length;
    expect(times).toBeGreaterThan(2);
    expect(times).toBeLessThan(3.5);
  });

  it.each(['sha-256=abc', 'sha-256', 'sha-256=:####:', 'sha-256=:AAAA:', '', '=:AAAA:'])(
    'refuses the malformed digest "%s"',
    async (value) => {
      const app = await startApp({ platform });
      const { status, body: error } = await send(app, 'POST', '/files', body, { ...FORM, 'Content-Digest': value });
      expect([status, error['code']]).toEqual([400, 'FILES_DIGEST_INVALID']);
      expect(await app.stored()).toEqual([]);
    },
  );

  it('refuses several files at once, where the whole form does not have its digest', async () => {
    const app = await startApp({ platform });
    const two = form(part('name="file"; filename="a.txt"', 'one'), part('name="file"; filename="b.txt"', 'two'));
    const headers = { ...FORM, 'Content-Digest': sha256(`${two} `) };
    expect(await send(app, 'POST', '/files?multiple=true', two, headers)).toMatchObject({ status: 400 });
    expect(await app.stored()).toEqual([]);
  });

  it('replaces content only by bytes that have their digest', async () => {
    const app = await startApp({ platform });
    const { id } = await uploadFile(app, 'anna', formWith('first'));
    const put = (value: string) =>
      send(app, 'PUT', `/files/${id}/content`, 'second', { ...OCTETS, 'Repr-Digest': value });

    expect(await put(sha256('other'))).toMatchObject({ status: 400, body: { code: 'FILES_DIGEST_MISMATCHED' } });
    expect(await (await app.fetch(`/files/${id}/content`, { user: 'anna' })).text()).toBe('first');
    expect(await app.stored()).toHaveLength(1);
    expect(await put(sha256('second'))).toMatchObject({ status: 200 });
    expect(await (await app.fetch(`/files/${id}/content`, { user: 'anna' })).text()).toBe('second');
  });

  it('saves no record whose form does not have its digest', async () => {
    const app = await actionApp({ platform, options: { storages: { default: memoryStorage() } } });
    const gallery = form(part('name="title"', 'x'), part('name="coverId"; filename="a.txt"', 'cover'));
    const headers = { ...FORM, 'Content-Digest': sha256('other') };
    expect(await send(app, 'POST', '/galleries', gallery, headers)).toMatchObject({
      status: 400,
      body: { code: 'FILES_DIGEST_MISMATCHED' },
    });
    expect(await (await app.fetch('/files', { user: 'anna' })).json()).toMatchObject({ count: 0 });
  });

  it('gives the digest of a download that asks for it, also of a part and of HEAD', async () => {
    const app = await startApp({ platform });
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const digest = async (wanted: string, init: RequestInit = {}) => {
      const headers = { 'Want-Repr-Digest': wanted, ...(init.headers as object) };
      const response = await app.fetch(`/files/${id}/content`, { ...init, headers, user: 'anna' });
      await response.arrayBuffer();
      return response.headers.get('repr-digest');
    };
    expect(await digest('sha-256=1')).toBe(sha256('hello'));
    expect(await digest('sha-512=10, sha-256=1')).toBe(sha256('hello'));
    expect(await digest('sha-256=3', { headers: { Range: 'bytes=0-1' } })).toBe(sha256('hello'));
    expect(await digest('sha-256=3', { method: 'HEAD' })).toBe(sha256('hello'));
    for (const wanted of ['constructor=1', 'sha-256=0', 'sha-512=1', 'unixsum=1', 'sha-256', 'junk;', '']) {
      expect(await digest(wanted), wanted).toBeNull();
    }
  });
});
