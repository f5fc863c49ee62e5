import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { linkStorage } from 'nestjs-files/storage/link';
import { describeStorage } from 'nestjs-files/testing';
import { isPublicAddress } from '../../../lib/storage/adapters/public-internet.js';
import { filesHarness } from '../../support/files-harness.js';

describeStorage('link', (limits) => linkStorage({ domains: ['example.com'], ...limits }), { describe, it });

async function serve(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const options = { domains: [host], protocols: ['http'], allowPrivateNetworks: true } as const;
  return { host, url: `http://${host}`, storage: linkStorage(options), options };
}

describe('linkStorage', () => {
  it('takes URLs of its protocols and domains, in one spelling', () => {
    const storage = linkStorage({ domains: ['example.com', '*.example.org', 'example.net:8443'] });
    for (const url of ['https://example.com/a?b=c', 'https://a.b.example.org/', 'https://example.net:8443/x']) {
      expect(() => storage.assertLocation(url)).not.toThrow();
    }
    const refused = {
      'http://example.com/': 'https: may be linked to',
      'file:///etc/passwd': 'https: may be linked to',
      'https://example.org/': 'does not name example.org',
      'https://badexample.org/': 'does not name',
      'https://example.com.evil.net/': 'does not name',
      'https://example.com:444/': 'does not name',
      'https://example.net/': 'does not name',
      'https://me:secret@example.com/': 'credentials',
      'https://example.com/#x': 'fragment',
      'https://EXAMPLE.com/': '"https://example.com/"',
      'https://example.com': '"https://example.com/"',
      'https://example.com/a/../b': '"https://example.com/b"',
      'a/b': 'not a URL',
      [`https://example.com/${'a'.repeat(1024)}`]: 'longer',
    };
    for (const [url, reason] of Object.entries(refused)) expect(() => storage.assertLocation(url), url).toThrow(reason);
  });

  it('registers a link, streams through it, and forgets it', async () => {
    const { url, storage } = await serve((_, response) => response.end('content'));
    const { files } = await filesHarness({ links: storage });
    const file = await files.register(`${url}/data/r%C3%A9sum%C3%A9.txt?v=1`, { storage: 'links' });
    expect(file).toMatchObject({ name: 'résumé.txt', size: 7, contentType: 'text/plain' });
    expect(await text(await files.stream(file.id))).toBe('content');
    expect(await storage.publicUrl(file.location)).toBe(file.location);
    const copy = await files.copy(file.id, { storage: 'memory' });
    await files.delete(file.id);
    expect(await text(await files.stream(copy.id))).toBe('content');
  });

  it.each([true, false])('reads ranges, whether the server knows them or not: %s', async (isKnown) => {
    const { url, storage } = await serve((request, response) => {
      if (!isKnown) return void response.end('0123456789');
      const [, start, end] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
      const last = Math.min(Number(end), 9);
      response.writeHead(206, { 'content-range': `bytes ${start}-${last}/10` });
      response.end('0123456789'.slice(Number(start), last + 1));
    });
    expect(await text(await storage.read(`${url}/`, { start: 2, end: 4 }))).toBe('234');
    expect(await text(await storage.read(`${url}/`, { start: 8, end: 20 }))).toBe('89');
  });

  it.each([
    ['another range', 'bytes 0-2/10', '012', 'with the range bytes 0-2/10 instead of bytes 2-4'],
    ['a longer range', 'bytes 2-9/10', '23456789', 'bytes 2-9/10 instead of bytes 2-4'],
    ['a shorter range', 'bytes 2-3/10', '23', 'bytes 2-3/10 instead of bytes 2-4'],
    ['a range of another unit', 'lines 2-4/10', '234', 'lines 2-4/10 instead'],
    ['no range', undefined, '234', '(none) instead'],
    ['fewer bytes than it announces', 'bytes 2-4/*', '23', 'fewer than 3 bytes'],
  ])('refuses a part for which the server sends %s', async (_, contentRange, body, message) => {
    const { url, storage } = await serve((_request, response) => {
      if (contentRange !== undefined) response.setHeader('content-range', contentRange);
      response.writeHead(206).write(body);
      response.end();
    });
    const read = async () => text(await storage.read(`${url}/`, { start: 2, end: 4 }));
    await expect(read()).rejects.toThrow(message);
  });

  it('drops bytes that a server sends beyond the range that it announces', async () => {
    const { url, storage } = await serve((_, response) => {
      response.writeHead(206, { 'content-range': 'bytes 2-4/*' }).write('234');
      response.end('56789');
    });
    expect(await text(await storage.read(`${url}/`, { start: 2, end: 4 }))).toBe('234');
  });

  it('closes the connection to a stalled server without ranges when the reader gives up', async () => {
    let closed: Promise<unknown> | undefined;
    const { url, storage } = await serve((_, response) => {
      closed = once(response, 'close');
      response.write('01');
    });
    const part = await storage.read(`${url}/`, { start: 5, end: 9 });
    part.read();
    part.destroy();
    await closed;
    expect(closed).toBeDefined();
  });

  it('follows redirects, but not to where it may not read, and not for ever', async () => {
    const { url, storage } = await serve((request, response) => {
      const to = { '/in': '/there', '/out': 'http://169.254.169.254/secret', '/round': '/round' }[request.url ?? ''];
      if (to) response.writeHead(302, { location: to });
      response.end('there');
    });
    expect(await text(await storage.read(`${url}/in`))).toBe('there');
    await expect(storage.read(`${url}/out`)).rejects.toMatchObject({ code: 'FILES_LOCATION_INVALID' });
    await expect(storage.read(`${url}/round`)).rejects.toThrow('redirects');
  });

  it('reports a missing resource, and a failure', async () => {
    const { url, storage, options } = await serve((request, response) => {
      if (request.url === '/silent') return;
      if (request.url === '/zipped') response.setHeader('content-encoding', 'gzip');
      response.writeHead(Number(request.url?.slice(1)) || 200).end();
    });
    await expect(storage.read(`${url}/404`)).rejects.toMatchObject({ code: 'FILES_LOCATION_NOT_FOUND' });
    await expect(storage.read(`${url}/410`)).rejects.toMatchObject({ code: 'FILES_LOCATION_NOT_FOUND' });
    await expect(storage.read(`${url}/500`)).rejects.toMatchObject({ code: 'FILES_STORAGE_FAILED' });
    await expect(storage.read(`${url}/zipped`)).rejects.toThrow('gzip');
    await expect(linkStorage({ ...options, timeout: 20 }).read(`${url}/silent`)).rejects.toThrow('20 ms');
  });

  it('gives a read up that takes too long, though bytes come', async () => {
    const { url, options } = await serve((request, response) => {
      if (request.url === '/round') return void response.writeHead(302, { location: '/round' }).end();
      const timer = setInterval(() => response.write('x'), 5);
      response.on('close', () => clearInterval(timer));
    });
    const storage = linkStorage({ ...options, totalTimeout: 60 });
    const readAll = async () => text(await storage.read(`${url}/drip`));
    await expect(readAll()).rejects.toThrow('it took longer than 60 ms');
    const { files } = await filesHarness({ links: storage });
    await expect(files.register(`${url}/drip`, { storage: 'links' })).rejects.toThrow('it took longer than 60 ms');
  });

  it('gives up a read whose server never begins to answer, or sends without end', async () => {
    const { url, options } = await serve((request, response) => {
      if (request.url !== '/slow') return;
      setTimeout(() => response.writeHead(302, { location: '/slow' }).end(), 25);
    });
    const storage = linkStorage({ ...options, totalTimeout: 60 });
    await expect(storage.read(`${url}/silent`)).rejects.toThrow('it took longer than 60 ms');
    await expect(storage.read(`${url}/slow`)).rejects.toThrow('it took longer than 60 ms');
  });

  it.each([
    ['http://10.1.2.3/', 'does not name 10.1.2.3'],
    ['http://HOST/out', '169.254.169.254'],
    ['http://localhost:PORT/', 'leads to an address that is not public'],
  ])('registers nothing at %s, which is no fault of the server', async (address, reason) => {
    const { host, options } = await serve((_, response) =>
      response.writeHead(302, { location: 'http://169.254.169.254/secret' }).end(),
    );
    const port = host.split(':')[1]!;
    const isLocal = address.includes('localhost');
    const storage = linkStorage({
      ...options,
      domains: [host, `localhost:${port}`],
      allowPrivateNetworks: !isLocal,
    });
    const { files } = await filesHarness({ links: storage });
    const location = address.replace('HOST', host).replace('PORT', port);
    const refused = files.register(location, { storage: 'links' });
    await expect(refused).rejects.toMatchObject({ code: 'FILES_LOCATION_REFUSED', status: 422 });
    await expect(refused).rejects.toThrow(reason);
  });

  it('reads no more than its limit', async () => {
    const { url, options } = await serve((_, response) => response.end('x'.repeat(100_000)));
    const { files } = await filesHarness({ links: linkStorage({ ...options, maxSize: 10 }) });
    await expect(files.register(`${url}/x`, { storage: 'links' })).rejects.toMatchObject({
      code: 'FILES_FILE_TOO_LARGE',
    });
  });

  it('connects to no private network, neither by address nor by name', async () => {
    let isReached = false;
    const { host, url, options } = await serve((_, response) => response.end(String((isReached = true))));
    const port = host.split(':')[1];
    const storage = linkStorage({ ...options, domains: [host, `localhost:${port}`], allowPrivateNetworks: false });
    await expect(storage.read(`${url}/`)).rejects.toMatchObject({ code: 'FILES_LOCATION_INVALID' });
    await expect(storage.read(`http://localhost:${port}/`)).rejects.toThrow('not public');
    expect(isReached).toBe(false);
  });

  it('knows private addresses, also in disguise', () => {
    const closed = ['127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0'];
    // Host services of clouds: of most, of Azure, of Oracle, of Alibaba, of AWS over IPv6.
    closed.push('168.63.129.16', '192.0.0.192', '100.100.100.200', 'fd00:ec2::254', '::ffff:168.63.129.16');
    for (const one of [
      ...closed,
      '224.0.0.1',
      '::1',
      '::',
      'fe80::1',
      'fd00::1',
      '::ffff:127.0.0.1',
      '2002:7f00:1::',
      'x',
    ])
      expect(isPublicAddress(one), one).toBe(false);
    for (const one of ['93.184.215.14', '172.32.0.1', '168.63.129.17', '2606:4700::1111'])
      expect(isPublicAddress(one), one).toBe(true);
  });

  it('refuses options that make no sense, naming them', () => {
    expect(() => linkStorage({ domains: [] })).toThrow('"domains"');
    expect(() => linkStorage({ domains: ['https://example.com'] })).toThrow('"domains"');
    expect(() => linkStorage({ domains: ['example.com'], protocols: ['ftp' as 'http'] })).toThrow('"protocols"');
    expect(() => linkStorage({ domains: ['example.com'], timeout: 0 })).toThrow('"timeout"');
    expect(() => linkStorage({ domains: ['example.com'], totalTimeout: 2 ** 31 })).toThrow('"totalTimeout"');
  });
});
