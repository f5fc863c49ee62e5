import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { RequestListener, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FilesService } from 'nestjs-files';
import type { FilesModuleOptions } from 'nestjs-files';
import { readCapabilities, upload, UploadError } from 'nestjs-files/client';
import { fsStorage } from 'nestjs-files/storage/fs';
import { bucketServer } from '../../support/bucket-server.js';
import { newDirectory } from '../../support/files-directory.js';
import { startApp } from '../../support/http-app.js';

const MIB = 1024 * 1024;

function fileOf(content: string | Uint8Array<ArrayBuffer>, name = 'notes.txt', type = 'text/plain'): File {
  return new File([content], name, { type, lastModified: 1 });
}

/** A store of notes about unfinished uploads. */
function notes() {
  const map = new Map<string, string>();
  return {
    map,
    getItem: (key: string) => map.get(key) ?? null,
    setItem: (key: string, value: string) => void map.set(key, value),
    removeItem: (key: string) => void map.delete(key),
  };
}

async function start(partSize = MIB, further: Partial<FilesModuleOptions> = {}) {
  const bucket = await bucketServer(partSize);
  const storages = { default: bucket.storage, small: fsStorage({ root: newDirectory(), maxSize: 10 }) };
  const app = await startApp({ options: { storages, ...further } });
  const files = app.app.get(FilesService);
  const options = { endpoint: `${app.url}/files`, headers: { 'x-user': 'ada' } };
  return { ...app, bucket, files, options };
}

/** A server that answers as it is told. */
async function answering(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('upload() in a form', () => {
  it('makes a file of small content, and tells its progress', async () => {
    const { files, options } = await start();
    const told: number[][] = [];
    const onProgress = (...sizes: number[]) => void told.push(sizes);
    const uploaded = await upload(fileOf('hello'), { ...options, onProgress });
    expect(uploaded).toMatchObject({ name: 'notes.txt', size: 5, ownerId: 'ada', contentType: 'text/plain' });
    expect(await text(await files.stream(uploaded.id))).toBe('hello');
    expect(told.at(-1)).toEqual([5, 5]);
  });

  it('takes name, storage and headers as they are given', async () => {
    const { options } = await start();
    const headers = () => ({ 'x-user': 'bob' });
    const uploaded = await upload(new Blob(['hi']), { ...options, headers, name: 'b.txt', storage: 'small' });
    expect(uploaded).toMatchObject({ name: 'b.txt', storage: 'small', ownerId: 'bob' });
  });

  it('has the server check the bytes on demand', async () => {
    const { options, files } = await start();
    const { id } = await upload(fileOf('checked'), { ...options, digest: true });
    expect(await text(await files.stream(id))).toBe('checked');
    let digest: string | undefined;
    const endpoint = await answering((request, response) => {
      digest = request.headers['content-digest'] as string;
      const type = request.headers['content-type'];
      void text(request).then((body) => {
        const hash = createHash('sha256').update(body).digest('base64');
        response.end(JSON.stringify({ isRight: digest === `sha-256=:${hash}:`, type }));
      });
    });
    expect(await upload(fileOf('checked'), { endpoint, digest: true })).toMatchObject({
      isRight: true,
      type: expect.stringMatching(/^multipart\/form-data; boundary=/) as string,
    });
  });

  it('throws the refusal of the server, with its code and message, at once', async () => {
    const { options } = await start();
    const tooLarge = upload(fileOf('x'.repeat(100)), { ...options, storage: 'small' });
    await expect(tooLarge).rejects.toMatchObject({ name: 'UploadError', code: 'FILES_FILE_TOO_LARGE', status: 413 });
    const unknown = upload(fileOf('x'), { ...options, headers: {} });
    await expect(unknown).rejects.toThrow(UploadError);
    await expect(unknown).rejects.toMatchObject({ code: 'FILES_AUTHENTICATION_REQUIRED', status: 401 });
  });

  it.each([
    ['a stalled upload', 408, 'FILES_UPLOAD_IDLE', 2],
    ['too many requests', 429, undefined, 2],
    ['a database that could not be reached', 503, 'FILES_LOCK_TIMEOUT', 2],
    ['a commit whose outcome nobody knows', 503, 'FILES_COMMIT_OUTCOME_UNKNOWN', 1],
    ['a proxy that lost the application', 502, undefined, 1],
    ['a fault', 500, 'FILES_STORAGE_FAILED', 1],
  ])('repeats a form only if no file was made: %s', async (_what, status, code, requests) => {
    let count = 0;
    const endpoint = await answering((request, response) => {
      request.resume().on('end', () => {
        if (++count > 1) response.end('{"id":"1"}');
        else
          response.writeHead(status, { 'retry-after': '0.01' }).end(JSON.stringify({ code, message: ['no', 'way'] }));
      });
    });
    const uploaded = upload(fileOf('x'), { endpoint });
    if (requests === 1) await expect(uploaded).rejects.toMatchObject({ status, message: 'no. way' });
    else expect(await uploaded).toEqual({ id: '1' });
    expect(count).toBe(requests);
  });

  it.each([
    [200, '<html>Log in</html>', 'The server has not answered with JSON'],
    [502, 'null', 'The server answered 502'],
  ])('throws an UploadError for an answer that no route of the library gives: %i %s', async (status, text, message) => {
    const endpoint = await answering((request, response) => {
      request.resume().on('end', () => response.writeHead(status).end(text));
    });
    const refused = upload(fileOf('x'), { endpoint });
    await expect(refused).rejects.toMatchObject({ name: 'UploadError', status, message });
  });

  it('does not repeat a form whose answer was lost', async () => {
    let count = 0;
    const endpoint = await answering((request) => {
      count++;
      request.resume().on('end', () => request.socket.destroy());
    });
    await expect(upload(fileOf('x'), { endpoint })).rejects.toMatchObject({ status: 0, code: undefined });
    expect(count).toBe(1);
  });

  it('gives up after as many repetitions as it may make', async () => {
    let count = 0;
    const endpoint = await answering((request, response) => {
      count++;
      request.resume();
      response.writeHead(429, { 'retry-after': '0.001' }).end();
    });
    await expect(upload(fileOf('x'), { endpoint, retries: 2 })).rejects.toMatchObject({ status: 429 });
    expect(count).toBe(3);
  });

  it('ends with the reason of its signal: before, while it sends, and while it waits', async () => {
    const early = new AbortController();
    early.abort(new Error('before'));
    await expect(upload(fileOf('x'), { signal: early.signal })).rejects.toThrow('before');

    const sending = new AbortController();
    const silent = await answering(() => sending.abort(new Error('while it sends')));
    await expect(upload(fileOf('x'), { endpoint: silent, signal: sending.signal })).rejects.toThrow('while it sends');

    const waiting = new AbortController();
    const busy = await answering((request, response) => {
      request.resume();
      response.on('close', () => waiting.abort(new Error('while it waits')));
      response.writeHead(429, { 'retry-after': '1000' }).end();
    });
    await expect(upload(fileOf('x'), { endpoint: busy, signal: waiting.signal })).rejects.toThrow('while it waits');
  });
});

describe('upload() to the storage', () => {
  const large = () => fileOf(new Uint8Array(5 * MIB + 1).fill(120), 'large.txt');

  it('sends large content in parts, where the server offers it', async () => {
    const { files, options, bucket } = await start(2 * MIB);
    expect(await readCapabilities(options)).toMatchObject({
      defaultStorage: 'default',
      storages: [{ direct: true }, {}],
    });
    const told: number[][] = [];
    const onProgress = (...sizes: number[]) => void told.push(sizes);
    const uploaded = await upload(large(), { ...options, onProgress, digest: true });
    expect(uploaded).toMatchObject({ name: 'large.txt', size: 5 * MIB + 1, ownerId: 'ada' });
    expect(bucket.parts).toEqual([1, 2, 3]);
    const sizes = told.map(([sent = 0]) => sent);
    expect(sizes).toEqual(sizes.toSorted((one, other) => one - other));
    expect(told.at(-1)).toEqual([5 * MIB + 1, 5 * MIB + 1]);
    expect((await files.findOrFail(uploaded.id)).hash).toBe(
      createHash('sha256')
        .update('x'.repeat(5 * MIB + 1))
        .digest('hex'),
    );
  });

  it('sends large content in a form, where the server offers nothing else', async () => {
    const { options, bucket } = await start(MIB, { http: { without: ['directUploads'] } });
    expect(await upload(large(), options)).toMatchObject({ size: 5 * MIB + 1 });
    const silent = await start(MIB, { http: { without: ['capabilities'] } });
    expect(await upload(large(), silent.options)).toMatchObject({ size: 5 * MIB + 1 });
    expect([bucket.parts, silent.bucket.parts]).toEqual([[], []]);
  });

  // Google answers 400 where others answer 403.
  it.each([400, 403])('sends parts again that were lost, refused or signed too long ago: %i', async (expired) => {
    const { options, bucket } = await start(2 * MIB);
    const failures = new Map<number, (response: ServerResponse) => unknown>([
      [1, (response) => response.destroy()],
      [2, (response) => response.writeHead(500).end()],
      [3, (response) => response.writeHead(expired).end()],
    ]);
    bucket.refuse = (number, response) => {
      const fail = failures.get(number);
      failures.delete(number);
      fail?.(response);
      return fail !== undefined;
    };
    expect(await upload(large(), options)).toMatchObject({ size: 5 * MIB + 1 });
    expect(bucket.parts).toEqual([1, 2, 3]);
  });

  it('goes on where an earlier upload of the same file has stopped', async () => {
    const { options, bucket } = await start(2 * MIB);
    const resume = notes();
    const stop = new AbortController();
    bucket.refuse = (number) => {
      if (number === 3) stop.abort(new Error('the page was closed'));
      return number === 3;
    };
    await expect(upload(large(), { ...options, resume, signal: stop.signal })).rejects.toThrow('the page was closed');
    expect([bucket.parts, resume.map.size]).toEqual([[1, 2], 1]);

    bucket.refuse = () => false;
    const uploaded = await upload(large(), { ...options, resume });
    expect([bucket.parts, resume.map.size]).toEqual([[1, 2, 3], 0]);
    expect(uploaded).toMatchObject({ size: 5 * MIB + 1 });
  });

  it.each([401, 403, 408, 409, 429])('goes on with the same upload after a refusal with %i', async (status) => {
    const { options, bucket } = await start(2 * MIB);
    const resume = notes();
    bucket.refuse = (number, response) => number === 3 && Boolean(response.writeHead(status).end());
    const refused = upload(large(), { ...options, resume, retries: 0 });
    await expect(refused).rejects.toMatchObject({ status });
    expect(resume.map.size).toBe(1);

    bucket.refuse = () => false;
    expect(await upload(large(), { ...options, resume })).toMatchObject({ size: 5 * MIB + 1 });
    expect([bucket.parts, bucket.open, resume.map.size]).toEqual([[1, 2, 3], 0, 0]);
  });

  it('needs no place for notes, where the browser gives none', async () => {
    const { options } = await start(2 * MIB);
    const before = Object.getOwnPropertyDescriptor(globalThis, 'localStorage');
    const get = () => {
      throw new DOMException('Access is denied for this document.', 'SecurityError');
    };
    Object.defineProperty(globalThis, 'localStorage', { configurable: true, get });
    onTestFinished(() => {
      Reflect.deleteProperty(globalThis, 'localStorage');
      if (before) Object.defineProperty(globalThis, 'localStorage', before);
    });
    expect(await upload(large(), { ...options, resume: true })).toMatchObject({ size: 5 * MIB + 1 });
  });

  it('begins anew if the earlier upload is over, or somebody else began it', async () => {
    const { options, bucket, fetch } = await start(2 * MIB);
    const resume = notes();
    const stop = new AbortController();
    bucket.refuse = () => {
      stop.abort(new Error('stopped'));
      return true;
    };
    await expect(upload(large(), { ...options, resume, signal: stop.signal })).rejects.toThrow('stopped');
    bucket.refuse = () => false;
    const [id] = resume.map.values();
    await fetch(`/files/uploads/${id}`, { method: 'DELETE', user: 'ada' });
    expect(await upload(large(), { ...options, resume })).toMatchObject({ ownerId: 'ada' });
  });

  it('gives the upload up that it cannot go on with', async () => {
    const { options, bucket } = await start(2 * MIB);
    const stop = new AbortController();
    bucket.refuse = () => {
      stop.abort(new Error('stopped'));
      return true;
    };
    await expect(upload(large(), { ...options, signal: stop.signal })).rejects.toThrow('stopped');
    expect(bucket.open).toBe(0);
  });

  it('throws the refusal of the content', async () => {
    const { options } = await start(2 * MIB, {});
    const wrong = upload(large(), { ...options, storage: 'small', way: 'direct' });
    await expect(wrong).rejects.toMatchObject({ code: 'FILES_CAPABILITY_MISSING', status: 409 });
  });
});
