import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { FilesService } from 'nestjs-files';
import { DirectUploads } from 'nestjs-files/uploads';
import { FileUpload } from 'nestjs-files/entities';
import { FilesSweeper } from 'nestjs-files/maintenance';
import { compileModule } from '../support/compiled-module.js';
import { newDirectory } from '../support/files-directory.js';
import { startApp } from '../support/http-app.js';
import { s3Proxy } from '../support/s3-proxy.js';
import { newS3Storage, s3Config } from '../support/s3-server.js';

const PART = 5 * 1024 * 1024;
const bytes = randomBytes(PART + 1000);
const OWN = '.nestjs-files/mark';

let script = '';
beforeAll(async () => {
  script = await compileModule(fileURLToPath(new URL('direct.child.ts', import.meta.url)), newDirectory());
});

/**
 * When a process is killed: when the server is about to get the first request that matches, or when it has answered it.
 */
type Moment = 'before' | 'after';

/** Two machines with one database and one bucket, of which one can be killed. */
async function machines() {
  const database = { type: 'better-sqlite3', database: join(newDirectory(), 'files.sqlite') } as const;
  const { storage, bucket, inside } = await newS3Storage({ partSize: PART });
  const { app, dataSource } = await startApp({
    database,
    options: { storages: { default: storage }, sweeper: { grace: 1 } },
  });
  const uploads = app.get(DirectUploads);
  const rows = dataSource.getRepository(FileUpload);
  return {
    uploads,
    sweeper: app.get(FilesSweeper),
    files: app.get(FilesService),
    inside,
    rows,
    /** Begins an upload and sends its parts. */
    sent: async () => {
      const { id } = await uploads.begin({ name: 'a.bin', size: bytes.length });
      for (const { url, number, size } of await uploads.signParts(id, [1, 2])) {
        const body = bytes.subarray((number - 1) * PART).subarray(0, size);
        expect((await fetch(url, { method: 'PUT', body })).status).toBe(200);
      }
      return id;
    },
    /** Lets the other machine do it, and kills it. */
    killed: async (what: string, moment: Moment, pattern: RegExp) => {
      const proxy = await s3Proxy();
      const isThere = new Promise<void>((resolve) => {
        proxy.decide = ({ text }) => {
          if (!pattern.test(text)) return undefined;
          if (moment === 'after') return { answered: resolve };
          resolve();
          return { until: new Promise<void>(() => {}) };
        };
      });
      const client = { ...s3Config(), endpoint: proxy.endpoint };
      const options = JSON.stringify({ client, bucket, prefix: inside.prefix, partSize: PART });
      const child = spawn(process.execPath, [script, options, database.database, what], { stdio: 'inherit' });
      const ended = once(child, 'exit');
      await Promise.race([isThere, ended]);
      child.kill('SIGKILL');
      expect(await ended).toEqual([null, 'SIGKILL']);
    },
    /** Sweeps as if the upload had expired long ago. */
    swept: async () => {
      for (const { id } of await rows.find()) await rows.update({ id }, { expiresAt: new Date(1) });
      expect(await app.get(FilesSweeper).sweep()).toMatchObject({ failed: 0 });
      const keys = (await inside.keys()).filter((key) => key !== OWN);
      return { keys: keys.length, uploads: (await inside.uploads()).length, rows: await rows.count() };
    },
  };
}

describe('a machine that dies with a direct upload to s3Storage', () => {
  it.each([
    ['before the bucket hears of it', 'before', 0],
    ['before the answer of the bucket is saved', 'after', 1],
  ] as const)('leaves only what is swept when it dies as it begins, %s', async (_what, moment, open) => {
    const { killed, swept, rows, inside } = await machines();
    await killed(`${bytes.length}`, moment, /^POST .*[?&]uploads/);
    expect([(await rows.find()).map(({ handle }) => handle), (await inside.uploads()).length]).toEqual([[null], open]);
    expect(await swept()).toEqual({ keys: 0, uploads: 0, rows: 0 });
  });

  const COMPLETION: [string, Moment, RegExp][] = [
    ['before the parts are listed', 'before', /^GET .*[?&]uploadId=/],
    ['before the claim', 'before', /^PUT (?!.*\.nestjs-files)[^?]*$/],
    ['before the bucket completes it', 'before', /^POST .*uploadId=/],
    ['when the bucket has completed it', 'after', /^POST .*uploadId=/],
    ['when it is read', 'before', /^GET (?!.*\.nestjs-files)[^?]*$/],
  ];

  it.each(COMPLETION)('lets another machine complete when it dies as it completes, %s', async (_what, ...at) => {
    const { uploads, files, sent, killed, swept } = await machines();
    const id = await sent();
    await killed(id, ...at);
    const file = await uploads.complete(id);
    expect(file).toMatchObject({ id, size: bytes.length });
    expect((await buffer(await files.stream(id))).equals(bytes)).toBe(true);
    expect(await uploads.complete(id)).toEqual(await files.findOrFail(id));
    expect(await swept()).toEqual({ keys: 1, uploads: 0, rows: 0 });
    expect((await buffer(await files.stream(id))).equals(bytes)).toBe(true);
  });

  it.each(COMPLETION)('leaves only what is swept when it dies as it completes, %s', async (_what, ...at) => {
    const { sent, killed, swept } = await machines();
    await killed(await sent(), ...at);
    expect(await swept()).toEqual({ keys: 0, uploads: 0, rows: 0 });
  });
});

it('sweeps an upload whose client never came back, and one that still sends', async () => {
  const { uploads, sent, swept, inside } = await machines();
  const id = await sent();
  const [{ url } = { url: '' }] = await uploads.signParts(id, [2]);
  expect(await swept()).toEqual({ keys: 0, uploads: 0, rows: 0 });
  expect((await fetch(url, { method: 'PUT', body: bytes.subarray(PART) })).status).toBe(404);
  expect(await inside.keys()).toEqual([OWN]);
});

it('sweeps nothing of an upload that is open, however short the grace is', async () => {
  const { uploads, sent, sweeper } = await machines();
  const id = await sent();
  expect(await sweeper.sweep()).toMatchObject({ examined: 0, leftovers: 0, failed: 0 });
  expect(await uploads.find(id)).toMatchObject({ uploaded: [1, 2] });
  expect(await uploads.complete(id)).toMatchObject({ id });
});
