import { Agent, request } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';
import type { HttpApp } from '../../support/http-app.js';

const CONTENT = 'abcdefghijklmnopqrstuvwxyz';
const MODIFIED = 'Fri, 31 May 2024 10:00:00 GMT';
const BEFORE = 'Fri, 31 May 2024 09:59:59 GMT';
const AFTER = 'Fri, 31 May 2024 10:00:01 GMT';
const OTHER = '"other"';

/** What is asked, and the status, the Content-Range and the body of the answer. `ETAG` stands for the file's. */
type Row = [name: string, headers: OutgoingHttpHeaders, answer: string, method?: 'GET' | 'HEAD'];

const ALL = `200 - ${CONTENT}`;
const HEAD = '200 - ';
const UNMODIFIED = '304 - ';
const FAILED = '412 - FILES_PRECONDITION_FAILED';
const UNSATISFIABLE = '416 bytes */26 FILES_RANGE_NOT_SATISFIABLE';
const FIRST_FIVE = '206 bytes 0-4/26 abcde';

const ROWS: Row[] = [
  ['nothing', {}, ALL],
  ['HEAD', {}, HEAD, 'HEAD'],

  ['If-None-Match with the tag', { 'if-none-match': 'ETAG' }, UNMODIFIED],
  ['If-None-Match with the tag, HEAD', { 'if-none-match': 'ETAG' }, UNMODIFIED, 'HEAD'],
  ['If-None-Match with the weak tag', { 'if-none-match': 'W/ETAG' }, UNMODIFIED],
  ['If-None-Match with a list', { 'if-none-match': `${OTHER}, ETAG` }, UNMODIFIED],
  ['If-None-Match with anything', { 'if-none-match': '*' }, UNMODIFIED],
  ['If-None-Match with another tag', { 'if-none-match': OTHER }, ALL],
  ['If-None-Match with no tag at all', { 'if-none-match': 'ETAG'.toLowerCase() }, ALL],
  ['If-None-Match past a cache', { 'if-none-match': 'ETAG', 'cache-control': 'no-cache' }, UNMODIFIED],
  ['If-None-Match before If-Modified-Since', { 'if-none-match': OTHER, 'if-modified-since': AFTER }, ALL],
  ['If-None-Match with a range', { 'if-none-match': 'ETAG', range: 'bytes=0-4' }, UNMODIFIED],

  ['If-Modified-Since then', { 'if-modified-since': MODIFIED }, UNMODIFIED],
  ['If-Modified-Since then, HEAD', { 'if-modified-since': MODIFIED }, UNMODIFIED, 'HEAD'],
  ['If-Modified-Since later', { 'if-modified-since': AFTER }, UNMODIFIED],
  ['If-Modified-Since earlier', { 'if-modified-since': BEFORE }, ALL],
  ['If-Modified-Since as RFC 850', { 'if-modified-since': 'Friday, 31-May-24 10:00:00 GMT' }, UNMODIFIED],
  ['If-Modified-Since as asctime', { 'if-modified-since': 'Fri May 31 10:00:00 2024' }, UNMODIFIED],
  ['If-Modified-Since with no date of HTTP', { 'if-modified-since': '2030-01-01' }, ALL],
  ['If-Modified-Since with nonsense', { 'if-modified-since': 'yesterday' }, ALL],

  ['If-Match with the tag', { 'if-match': 'ETAG' }, ALL],
  ['If-Match with a list', { 'if-match': `${OTHER}, ETAG` }, ALL],
  ['If-Match with anything', { 'if-match': '*' }, ALL],
  ['If-Match with another tag', { 'if-match': OTHER }, FAILED],
  ['If-Match with another tag, HEAD', { 'if-match': OTHER }, '412 - ', 'HEAD'],
  ['If-Match with the weak tag', { 'if-match': 'W/ETAG' }, FAILED],
  ['If-Match with nonsense', { 'if-match': 'nonsense' }, FAILED],
  ['If-Match before If-None-Match', { 'if-match': OTHER, 'if-none-match': 'ETAG' }, FAILED],
  ['If-Match and If-None-Match', { 'if-match': 'ETAG', 'if-none-match': 'ETAG' }, UNMODIFIED],
  ['If-Match before If-Unmodified-Since', { 'if-match': 'ETAG', 'if-unmodified-since': BEFORE }, ALL],
  ['If-Match before a wrong range', { 'if-match': OTHER, range: 'bytes=99-' }, FAILED],

  ['If-Unmodified-Since then', { 'if-unmodified-since': MODIFIED }, ALL],
  ['If-Unmodified-Since later', { 'if-unmodified-since': AFTER }, ALL],
  ['If-Unmodified-Since earlier', { 'if-unmodified-since': BEFORE }, FAILED],
  ['If-Unmodified-Since with nonsense', { 'if-unmodified-since': 'nonsense' }, ALL],

  ['the first bytes', { range: 'bytes=0-4' }, FIRST_FIVE],
  ['the first byte', { range: 'bytes=0-0' }, '206 bytes 0-0/26 a'],
  ['bytes to the end', { range: 'bytes=20-' }, '206 bytes 20-25/26 uvwxyz'],
  ['bytes beyond the end', { range: 'bytes=20-99' }, '206 bytes 20-25/26 uvwxyz'],
  ['all bytes', { range: 'bytes=0-' }, `206 bytes 0-25/26 ${CONTENT}`],
  ['the last bytes', { range: 'bytes=-3' }, '206 bytes 23-25/26 xyz'],
  ['more last bytes than there are', { range: 'bytes=-99' }, `206 bytes 0-25/26 ${CONTENT}`],
  ['the unit in capitals', { range: 'BYTES=0-4' }, FIRST_FIVE],
  ['space in the range', { range: 'bytes= 0-4 ' }, FIRST_FIVE],
  ['several ranges', { range: 'bytes=0-4,10-14' }, ALL],
  ['ranges that touch', { range: 'bytes=0-2,3-4' }, FIRST_FIVE],
  ['ranges that overlap', { range: 'bytes=2-4,0-3' }, FIRST_FIVE],
  ['a range beside one that is beyond', { range: 'bytes=0-4,99-' }, FIRST_FIVE],
  ['a range beyond the end', { range: 'bytes=26-' }, UNSATISFIABLE],
  ['a range far beyond', { range: 'bytes=99999999999999999999-' }, UNSATISFIABLE],
  ['the last no bytes', { range: 'bytes=-0' }, UNSATISFIABLE],
  ['a range backwards', { range: 'bytes=4-2' }, ALL],
  ['a range of nothing', { range: 'bytes=' }, ALL],
  ['a range of a dash', { range: 'bytes=-' }, ALL],
  ['a range of words', { range: 'bytes=a-b' }, ALL],
  ['a range with a sign', { range: 'bytes=+1-4' }, ALL],
  ['a negative range', { range: 'bytes=--4' }, ALL],
  ['another unit', { range: 'lines=0-4' }, ALL],
  ['no unit', { range: '0-4' }, ALL],
  ['a thousand ranges', { range: `bytes=${Array.from({ length: 1000 }, (_, at) => `${at}-`).join(',')}` }, ALL],
  ['a range for HEAD', { range: 'bytes=0-4' }, HEAD, 'HEAD'],
  ['a wrong range for HEAD', { range: 'bytes=99-' }, HEAD, 'HEAD'],

  ['If-Range with the tag', { range: 'bytes=0-4', 'if-range': 'ETAG' }, FIRST_FIVE],
  ['If-Range with another tag', { range: 'bytes=0-4', 'if-range': OTHER }, ALL],
  ['If-Range with the weak tag', { range: 'bytes=0-4', 'if-range': 'W/ETAG' }, ALL],
  ['If-Range with the date', { range: 'bytes=0-4', 'if-range': MODIFIED }, FIRST_FIVE],
  ['If-Range with an earlier date', { range: 'bytes=0-4', 'if-range': BEFORE }, ALL],
  ['If-Range with a later date', { range: 'bytes=0-4', 'if-range': AFTER }, ALL],
  ['If-Range with nonsense', { range: 'bytes=0-4', 'if-range': 'nonsense' }, ALL],
  ['If-Range with another tag and a wrong range', { range: 'bytes=99-', 'if-range': OTHER }, ALL],
  ['If-Range without a range', { 'if-range': OTHER }, ALL],
  ['If-Match, If-Range and a range', { 'if-match': 'ETAG', 'if-range': 'ETAG', range: 'bytes=0-4' }, FIRST_FIVE],
];

// Not `fetch`, which adds headers of its own to conditional requests.
async function ask(app: HttpApp, path: string, method: string, headers: OutgoingHttpHeaders): Promise<IncomingMessage> {
  const agent = new Agent({ keepAlive: false });
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port: app.port,
      path,
      method,
      agent,
      headers: { 'x-user': 'anna', ...headers },
    };
    request(options, resolve).once('error', reject).end();
  });
}

async function answerOf(response: IncomingMessage): Promise<string> {
  const body = await text(response);
  const shown = (response.statusCode ?? 0) >= 400 && body !== '' ? (JSON.parse(body) as { code: string }).code : body;
  return [response.statusCode, response.headers['content-range'] ?? '-', shown].join(' ');
}

describe.each(PLATFORMS)('requests for content on %s', (platform) => {
  const start = async (content = CONTENT, options: Parameters<typeof memoryStorage>[0] = {}) => {
    const app = await startApp({ platform, options: { storages: { default: memoryStorage(options) } } });
    const { id, hash } = await uploadFile(app, 'anna', formWith(content));
    // Half a second: HTTP does not see it.
    const createdAt = new Date(Date.parse(MODIFIED) + 500);
    await app.dataSource.getRepository(ManagedFile).update(id, { createdAt });
    const etag = `"${String(hash)}"`;
    const get = (method: string, headers: OutgoingHttpHeaders) => {
      const named = Object.entries(headers).map(([name, value]) => [name, String(value).replace('ETAG', etag)]);
      return ask(app, `/files/${id}/content`, method, Object.fromEntries(named) as OutgoingHttpHeaders);
    };
    return { app, id, etag, get };
  };

  it('are answered as RFC 9110 says', async () => {
    const { get } = await start();
    const answers: [string, string][] = [];
    for (const [name, headers, , method = 'GET'] of ROWS)
      answers.push([name, await answerOf(await get(method, headers))]);
    expect(answers).toEqual(ROWS.map(([name, , answer]) => [name, answer]));
  });

  it('get headers that say how the answer may be reused', async () => {
    const { etag, get } = await start();
    const part = await get('GET', { range: 'bytes=0-4' });
    expect(part.headers).toMatchObject({
      etag,
      'last-modified': MODIFIED,
      'accept-ranges': 'bytes',
      'content-length': '5',
      'content-type': 'text/plain; charset=utf-8',
      'content-disposition': 'inline; filename=notes.txt',
      'x-content-type-options': 'nosniff',
      'cache-control': 'private, no-cache, no-transform',
      'cross-origin-resource-policy': 'same-site',
    });
    const unmodified = await get('GET', { 'if-none-match': etag });
    const unsaid = ['content-range', 'content-type', 'content-length', 'date', 'connection', 'keep-alive'];
    const said = Object.entries(part.headers).filter(([name]) => !unsaid.includes(name));
    expect(unmodified.headers).toMatchObject(Object.fromEntries(said));
    expect(unmodified.headers['content-length'] ?? '0').toBe('0');
    const failed = await get('GET', { range: 'bytes=99-' });
    expect(failed.headers['content-type']).toMatch(/^application\/json/);
    expect(failed.headers['content-disposition']).toBeUndefined();
  });

  it('get an empty file whole, and no part of it', async () => {
    const { get } = await start('');
    const answers = await Promise.all(
      ['bytes=0-', 'bytes=-5', 'bytes=-0', 'bytes=x'].map(async (range) => answerOf(await get('GET', { range }))),
    );
    const unsatisfiable = '416 bytes */0 FILES_RANGE_NOT_SATISFIABLE';
    expect(answers).toEqual([unsatisfiable, '200 - ', unsatisfiable, '200 - ']);
  });

  it('get the whole file from a storage that cannot read parts', async () => {
    const { get } = await start(CONTENT, { disable: ['read'] });
    expect((await get('HEAD', {})).headers['accept-ranges']).toBe('none');
    expect((await (await start()).get('HEAD', {})).headers['accept-ranges']).toBe('bytes');
  });

  it('find the validators that the answer to new content told', async () => {
    const app = await startApp({ platform });
    const { id } = await uploadFile(app, 'anna', formWith('before'));
    const put = (body: string, condition: Record<string, string> = {}) =>
      app.fetch(`/files/${id}/content`, {
        method: 'PUT',
        user: 'anna',
        body,
        headers: { 'content-type': 'application/octet-stream', ...condition },
      });
    const told = (await put('after')).headers.get('etag') ?? '';
    const found = await app.fetch(`/files/${id}/content`, { method: 'HEAD', user: 'anna' });
    expect(told).toBe(found.headers.get('etag'));
    expect((await put('once more', { 'if-match': told })).status).toBe(200);
    expect((await put('too late', { 'if-match': told })).status).toBe(412);
  });

  it('see that content was replaced, even in the second in which it was made', async () => {
    const { app, id, etag, get } = await start();
    const createdAt = new Date(Math.floor(Date.now() / 1000) * 1000);
    await app.dataSource.getRepository(ManagedFile).update(id, { createdAt });
    const replaced = await app.fetch(`/files/${id}/content`, { method: 'PUT', user: 'anna', body: 'ABCDE' });
    expect(replaced.status).toBe(200);
    const unmodified = { 'if-unmodified-since': createdAt.toUTCString() };
    expect(await answerOf(await get('PUT', unmodified))).toBe(FAILED);
    const since = { 'if-modified-since': createdAt.toUTCString() };
    expect(await answerOf(await get('GET', since))).toBe('200 - ABCDE');
    expect(await answerOf(await get('GET', { range: 'bytes=0-1', 'if-range': createdAt.toUTCString() }))).toBe(
      '200 - ABCDE',
    );
    expect(await answerOf(await get('GET', { 'if-none-match': etag }))).toBe('200 - ABCDE');
  });
});
