import { randomBytes } from 'node:crypto';
import { constants } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it, vi } from 'vitest';
import { UploadAbortedError } from 'nestjs-files/errors';
import { FilesService } from '../../../lib/index.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { newDirectory } from '../../support/files-directory.js';
import { gate } from '../../support/gate.js';
import { startHttp2 } from '../../support/http2-client.js';

const OCTETS = 'application/octet-stream';
const OLD = randomBytes(200_000);
const NEW = randomBytes(200_000);
const HALF = NEW.subarray(0, 100_000);

/** A storage that tells when so many bytes of a content have come. */
function watchedStorage(size: number) {
  const storage = fsStorage({ root: newDirectory() });
  const arrived = gate();
  async function* watched(content: Readable): AsyncGenerator<Buffer> {
    let seen = 0;
    for await (const chunk of content as AsyncIterable<Buffer>) {
      yield chunk;
      seen += chunk.length;
      if (seen === size) arrived.open();
    }
  }
  const write = storage.write.bind(storage);
  storage.write = (location, content, writes) =>
    write(location, Readable.from(watched(content), { objectMode: false }), writes);
  return { storage, arrived };
}

type Cut = (stream: ClientHttp2Stream, session: ClientHttp2Session) => void;

describe('new content that is cut off on HTTP/2', () => {
  const declared = { 'content-length': NEW.length };
  it.each<[string, Cut, object]>([
    ['a client that told its length cancels it', (stream) => stream.close(8), declared],
    ['a client that told its length closes its stream without an error', (stream) => stream.close(0), declared],
    ['the connection of a client that told its length is lost', (_, session) => session.destroy(), declared],
    ['the client cancels it', (stream) => stream.close(8), {}],
    ['the client closes its stream without an error', (stream) => stream.close(0), {}],
    ['the connection is lost', (_, session) => session.destroy(), {}],
  ])('leaves the old content where %s', async (_, cut, headers) => {
    const { storage, arrived } = watchedStorage(HALF.length);
    const { app, open, session } = await startHttp2({ storages: { default: storage } });
    const files = app.app.get(FilesService);
    const { id, hash } = await files.create(OLD, { name: 'a.bin', owner: { type: 'user', id: 'ada' } });
    const replace = vi.spyOn(files, 'replace');
    const stream = open('PUT', `/files/${id}/content`, { 'content-type': OCTETS, ...headers });
    stream.on('error', () => {}).write(HALF);
    await arrived.opened;
    cut(stream, session);
    await expect(replace.mock.results[0]?.value).rejects.toThrow(UploadAbortedError);
    expect(await files.findOrFail(id)).toMatchObject({ hash, size: OLD.length });
    expect((await buffer(await files.stream(id))).equals(OLD)).toBe(true);
  });
});

it('breaks a download off with an error on HTTP/2 where its storage fails in the middle', async () => {
  const storage = memoryStorage();
  const isRead = gate();
  storage.read = async () =>
    Readable.from(
      (async function* () {
        yield OLD.subarray(0, 50_000);
        await isRead.opened;
        throw new Error('the disk is gone');
      })(),
      { objectMode: false },
    );
  const { app, open } = await startHttp2({ storages: { default: storage } });
  const file = { name: 'a.bin', owner: { type: 'user', id: 'ada' } };
  const { id } = await app.app.get(FilesService).create(OLD, file);
  const stream = open('GET', `/files/${id}/content`);
  const ends: string[] = [];
  stream.on('end', () => ends.push('end')).on('error', () => ends.push('error'));
  stream.once('data', () => isRead.open());
  await new Promise((resolve) => stream.once('close', resolve));
  expect([ends, stream.rstCode]).toEqual([['error'], constants.NGHTTP2_INTERNAL_ERROR]);
});
