import { appendFile, truncate } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FilesService } from '../../../lib/index.js';
import { Storage } from '../../../lib/entry/storage.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { linkStorage } from '../../../lib/storage/adapters/link.storage.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { newDirectory } from '../../support/files-directory.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';
import type { HttpApp } from '../../support/http-app.js';

const CONTENT = 'the content of the file';
const SURPLUS = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged';

/** A storage whose bytes change behind the library's back. */
interface Subject {
  readonly storage: Storage;
  readonly change: (app: HttpApp, isLonger: boolean) => Promise<void>;
  /** Makes the file; the default is an upload. */
  readonly make?: (app: HttpApp) => Promise<string>;
}

const SUBJECTS: [string, () => Subject | Promise<Subject>][] = [
  ['fs', onDisk],
  ['link', linked],
  ['of the application', ofTheApplication],
];

function onDisk(): Subject {
  const root = newDirectory();
  return {
    storage: fsStorage({ root }),
    change: async (app, isLonger) => {
      const [{ location }] = (await app.dataSource.query('SELECT location FROM files_file')) as [{ location: string }];
      const path = join(root, location);
      await (isLonger ? appendFile(path, SURPLUS) : truncate(path, 5));
    },
  };
}

async function linked(): Promise<Subject> {
  let content = CONTENT;
  const server = createServer((_, response) => response.end(content));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    storage: linkStorage({ domains: [host], protocols: ['http'], allowPrivateNetworks: true }),
    make: async ({ app }) => {
      const owner = { type: 'user', id: 'anna' };
      return (await app.get(FilesService).register(`http://${host}/a.txt`, { storage: 'default', owner })).id;
    },
    change: async (_, isLonger) => void (content = isLonger ? CONTENT + SURPLUS : CONTENT.slice(0, 5)),
  };
}

function ofTheApplication(): Subject {
  const storage = memoryStorage();
  const { read } = storage;
  return {
    storage,
    change: async (_, isLonger) => {
      const changed = async (location: string): Promise<string> => {
        const content = await text(await read.call(storage, location));
        return isLonger ? content + SURPLUS : content.slice(0, 5);
      };
      storage.read = async (location, range) => {
        const other = memoryStorage();
        await other.write('x', Readable.from([await changed(location)]));
        return other.read('x', range);
      };
    },
  };
}

/** All that comes over one connection for several requests, sent one after the other. */
async function conversation(port: number, requests: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  socket.on('error', () => {});
  const received = text(socket);
  socket.write(requests.join(''));
  return received;
}

const request = (path: string, ...headers: string[]) =>
  ['GET ' + path + ' HTTP/1.1', 'Host: x', 'x-user: anna', ...headers, '', ''].join('\r\n');

describe.each(PLATFORMS)('the length of a response on %s', (platform) => {
  describe.each(SUBJECTS)('from a storage %s', (_, subjectOf) => {
    const start = async (isLonger: boolean) => {
      const { storage, change, make } = await subjectOf();
      const app = await startApp({ platform, options: { storages: { default: storage } } });
      const id = make ? await make(app) : (await uploadFile(app, 'anna', formWith(CONTENT))).id;
      await change(app, isLonger);
      return { app, path: `/files/${id}/content` };
    };

    it.each([
      ['a file', [], CONTENT],
      ['a range', ['Range: bytes=4-'], CONTENT.slice(4)],
    ])('stays the size of %s whose bytes have grown', async (_name, headers, content) => {
      const { app, path } = await start(true);
      const requests = [request(path, ...headers), request('/files/none', 'Connection: close')];
      const received = await conversation(app.port, requests);
      expect(received).toContain(`\r\n\r\n${content}HTTP/1.1 404`);
      expect(received).not.toContain('forged');
    });

    it.each([
      ['a file', []],
      ['a range', ['Range: bytes=1-']],
    ])('is never filled with the next response where %s has lost bytes', async (_name, headers) => {
      const { app, path } = await start(false);
      const requests = [request(path, ...headers), request('/files/none', 'Connection: close')];
      const received = await conversation(app.port, requests);
      expect(received).not.toContain('404');
      // What was written just before the connection is destroyed may not go out.
      const [, body = ''] = received.split('\r\n\r\n');
      expect(CONTENT.slice(headers.length, 5)).toContain(body);
    });

    it('matches the error where no byte is left', async () => {
      const { app, path } = await start(false);
      const response = await app.fetch(path, { user: 'anna', headers: { range: 'bytes=10-' } });
      expect(response.status).toBe(500);
      expect(await response.json()).toMatchObject({ statusCode: 500 });
    });
  });
});
