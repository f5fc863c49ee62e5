import { randomBytes } from 'node:crypto';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { FileUpload } from 'nestjs-files/entities';
import { FilesSweeper } from 'nestjs-files/maintenance';
import type { Storage } from 'nestjs-files/storage';
import type { DataSourceOptions } from 'typeorm';
import { UPLOAD_LEASE } from '../../lib/files/resumable/upload-leases.js';
import type { AzurePlace } from '../azure/watched.js';
import type { S3Place } from '../crash/s3-bytes.js';
import { compileModule } from './compiled-module.js';
import { reachableDatabases } from './databases.js';
import type { TestDatabase } from './databases.js';
import { newDirectory } from './files-directory.js';
import { startApp } from './http-app.js';
import { tusOf } from './tus-app.js';

/** How a process finds a storage. */
export type StoragePlace = { root: string } | S3Place | AzurePlace;

/**
 * A call of the storage or, where it is on a server, a request to it, counted from 1, and when the process dies: also
 * within the content that is appended then, behind so many bytes.
 */
export interface CrashPoint {
  call: number;
  moment: 'before' | 'within' | 'after';
  bytes: number;
}

/** What a process is told that is to die. */
export interface ChildMachine {
  database: DataSourceOptions;
  place: StoragePlace;
  /** Milliseconds. */
  lease: number;
  point: CrashPoint;
}

/** An empty storage, and what is in it. */
export interface CrashWorld {
  storage: Storage;
  place: StoragePlace;
  /** Objects, and what is not finished. */
  left(): Promise<string[]>;
}

const LEASE = 300;
const MIB = 1024 ** 2;
const BYTES = randomBytes(8 * MIB + 5);
// Not at the end of a part.
const FIRST = 5 * MIB + 1000;
const MOMENTS = ['before', 'within', 'after'] as const;
const SOON = { timeout: 30_000, interval: 50 };

/** What a client does, with a machine that may die: it stops when it gets no answer. */
type Client = (machine: ReturnType<typeof tusOf>) => Promise<void>;

interface Extent {
  /** Only these points. @default all of them */
  sample?: readonly CrashPoint[];
  /** @default SQLite in a file */
  database?: TestDatabase;
}

/**
 * Kills a machine (`kill -9`) before and after each call of its storage, and within what it appends; or at some of
 * these points, for a sample. Another machine goes on.
 */
export function describeTusCrashPoints(
  name: string,
  newWorld: () => Promise<CrashWorld>,
  { sample = [], database: given }: Extent = {},
): void {
  let script = '';

  /** Two machines with one database and one storage. Resolves to whether the first one has died at the point. */
  async function machines(point: CrashPoint) {
    const { storage, place, left } = await newWorld();
    const { options: database, drop } = await (given ?? (await reachableDatabases('file'))[0])!.create();
    onTestFinished(drop);
    const options = { storages: { default: storage }, sweeper: { grace: 1 } };
    const app = await startApp({ database, options, overrides: [[UPLOAD_LEASE, LEASE]] });
    const rows = app.dataSource.getRepository(FileUpload);
    const child: ChildMachine = { database, place, lease: LEASE, point };
    return {
      ...tusOf(app),
      rows,
      /** Lets the client use the machine that dies. */
      killed: async (client: Client) => {
        const machine = fork(script, [JSON.stringify(child)]);
        const ended = once(machine, 'exit');
        onTestFinished(() => void machine.kill('SIGKILL'));
        const [port] = (await once(machine, 'message')) as [number];
        const send = (path: string, { user: _, ...init }: RequestInit & { user?: string } = {}) =>
          fetch(`http://127.0.0.1:${port}${path}`, init);
        const isAnswered = await client(tusOf({ fetch: send })).then(
          () => true,
          () => false,
        );
        machine.kill('SIGKILL');
        await ended;
        return !isAnswered;
      },
      /** What is left when everything has expired that did not become a file. */
      swept: async () => {
        for (const { id } of await rows.find()) await rows.update({ id }, { expiresAt: new Date(1) });
        expect(await app.app.get(FilesSweeper).sweep()).toMatchObject({ failed: 0 });
        return { objects: (await left()).length, rows: await rows.count() };
      },
    };
  }

  /** Begins, appends twice, and dies meanwhile. */
  async function upload(point: CrashPoint): Promise<boolean> {
    const { killed, offset, patch, content, send, rows, swept } = await machines(point);
    let [path, acknowledged] = ['', 0];
    const hasDied = await killed(async (machine) => {
      ({ path } = await machine.create({ 'Upload-Length': BYTES.length }));
      for (const [from, to] of [
        [0, FIRST],
        [FIRST, BYTES.length],
      ] as const) {
        await machine.patch(path, from, BYTES.subarray(from, to));
        acknowledged = to;
      }
    });
    const at = `${point.moment} call ${point.call}`;
    if (path === '') {
      expect(await swept(), at).toEqual({ objects: 0, rows: 0 });
      return hasDied;
    }
    const id = path.split('/').at(-1) ?? '';
    const kept = await offset(path);
    expect(kept, at).toBeGreaterThanOrEqual(acknowledged);
    // 423 as long as the lease of the dead process lasts.
    const go = async () => (await patch(path, kept, BYTES.subarray(kept))).status;
    if (!(await rows.findOneByOrFail({ id })).endedAt) await expect.poll(go, { ...SOON, message: at }).toBe(204);
    expect((await content(id)).equals(BYTES), at).toBe(true);
    expect((await send('HEAD', path)).headers.get('file-id'), at).toBe(id);
    expect(await swept(), at).toEqual({ objects: 1, rows: 0 });
    expect((await content(id)).equals(BYTES), at).toBe(true);
    return hasDied;
  }

  /** Joins two uploads, and dies meanwhile. */
  async function join2(point: CrashPoint): Promise<boolean> {
    const { killed, create, content, swept } = await machines(point);
    const partial = (bytes: typeof BYTES) =>
      create({ 'Upload-Concat': 'partial', 'Upload-Length': bytes.length }, bytes).then(({ path }) => path);
    const parts = [await partial(BYTES.subarray(0, FIRST)), await partial(BYTES.subarray(FIRST))];
    const final = { 'Upload-Concat': `final;${parts.join(' ')}` };
    const hasDied = await killed(async (machine) => void (await machine.create(final)));
    const at = `${point.moment} call ${point.call} of a join`;
    const again = await create(final);
    expect(again.status, at).toBe(201);
    expect(again.headers.get('file-id'), at).toBe(again.id);
    expect((await content(again.id)).equals(BYTES), at).toBe(true);
    expect(await swept(), at).toEqual({ objects: 1, rows: 0 });
    expect((await content(again.id)).equals(BYTES), at).toBe(true);
    return hasDied;
  }

  describe(`a machine that is killed at a call of ${name}${given ? `, on ${given.name}` : ''}`, () => {
    beforeAll(async () => {
      script = await compileModule(fileURLToPath(new URL('tus-machine.child.ts', import.meta.url)), newDirectory());
    });

    const ways = { 'takes an upload': upload, 'joins uploads': join2 };
    const all = sample.length > 0 ? [] : Object.entries(ways);

    it.each(sample)('keeps what it has acknowledged, and another one goes on: $moment call $call', async (point) => {
      expect(await upload(point)).toBe(true);
    });
    it.each(all)(
      'leaves a true offset, byte for byte, wherever it dies as it %s',
      { timeout: 600_000 },
      async (_what, run) => {
        let deaths = 0;
        for (let call = 1, isOver = false; !isOver; call++) {
          const outcomes: boolean[] = [];
          for (const moment of MOMENTS) outcomes.push(await run({ call, moment, bytes: FIRST / 2 }));
          deaths += outcomes.filter(Boolean).length;
          isOver = !outcomes[0];
        }
        expect(deaths).toBeGreaterThan(10);
      },
    );
  });
}
