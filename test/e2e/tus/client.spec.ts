import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Upload } from 'tus-js-client';
import { PLATFORMS } from '../../support/http-app.js';
import { sendByTus, startTus } from '../../support/tus-app.js';

const BYTES = randomBytes(3_000_000);

describe.each(PLATFORMS)('tus-js-client, with the server on %s', (platform) => {
  it('uploads a file in one request, in several, and with its creation', async () => {
    const { url, content, read } = await startTus(platform);
    for (const options of [{}, { chunkSize: 700_000 }, { chunkSize: 700_000, uploadDataDuringCreation: true }]) {
      const id = await sendByTus(url, BYTES, options);
      expect((await content(id)).equals(BYTES)).toBe(true);
      expect((await read(id)).body).toMatchObject({ name: 'film.bin', size: BYTES.length });
    }
    const empty = await sendByTus(url, Buffer.alloc(0));
    expect((await content(empty)).length).toBe(0);
  });

  it('pauses, and another client goes on where it has stopped', async () => {
    const { url, content, offset } = await startTus(platform);
    const paused = await new Promise<string>((resolve, reject) => {
      const upload = new Upload(BYTES, {
        endpoint: `${url}/files/tus`,
        headers: { 'x-user': 'ada' },
        chunkSize: 500_000,
        onError: reject,
        onChunkComplete: (_size, accepted) => {
          if (accepted < 1_000_000) return;
          upload.abort().then(() => resolve(upload.url ?? ''), reject);
        },
      });
      upload.start();
    });
    expect(await offset(new URL(paused).pathname)).toBeGreaterThanOrEqual(1_000_000);
    const id = await sendByTus(url, BYTES, { uploadUrl: paused });
    expect(paused.endsWith(id)).toBe(true);
    expect((await content(id)).equals(BYTES)).toBe(true);
  });

  it('sends the parts of a file beside each other', async () => {
    const { url, content, read, stored } = await startTus(platform);
    const id = await sendByTus(url, BYTES, { parallelUploads: 4, chunkSize: 400_000 });
    expect((await content(id)).equals(BYTES)).toBe(true);
    expect((await read(id)).body).toMatchObject({ name: 'film.bin', size: BYTES.length });
    expect(await stored()).toHaveLength(1);
  });

  it('sends a stream whose length nobody knows', async () => {
    const { url, content } = await startTus(platform);
    const pieces = Array.from({ length: 30 }, (_, at) => BYTES.subarray(at * 100_000, (at + 1) * 100_000));
    const id = await sendByTus(url, Readable.from(pieces, { objectMode: false }), {
      uploadLengthDeferred: true,
      chunkSize: 700_000,
    });
    expect((await content(id)).equals(BYTES)).toBe(true);
  });

  it('gives an upload up', async () => {
    const { url, stored, send } = await startTus(platform);
    const gone = await new Promise<string>((resolve, reject) => {
      const upload = new Upload(BYTES, {
        endpoint: `${url}/files/tus`,
        headers: { 'x-user': 'ada' },
        chunkSize: 500_000,
        onError: reject,
        onChunkComplete: () => {
          upload.abort(true).then(() => resolve(upload.url ?? ''), reject);
        },
      });
      upload.start();
    });
    expect((await send('HEAD', new URL(gone).pathname)).status).toBe(404);
    expect(await stored()).toEqual([]);
  });
});
