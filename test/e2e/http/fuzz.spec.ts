import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { filesBelow, newDirectory } from '../../support/files-directory.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';
import type { HttpApp } from '../../support/http-app.js';
import { JunkMaker } from '../../support/http-junk.js';
import { HttpWire } from '../../support/http-wire.js';

const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 1_650);
const CONNECTIONS = 8;
const WARM_UP = 600;
const MAX_GROWTH = 24 * 1024 * 1024;

const TABLES = ['files_file', 'files_transfer', 'files_intent'];

async function stateOf(app: HttpApp, root: string): Promise<string> {
  const rows = await Promise.all(TABLES.map((table) => app.dataSource.query(`SELECT * FROM ${table} ORDER BY id`)));
  const paths = await filesBelow(root);
  const bytes = await Promise.all(paths.map((path) => readFile(join(root, path), 'latin1')));
  return JSON.stringify({ rows, paths, bytes });
}

function usedHeap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

const WANTED = [200, 206, 304, 400, 401, 403, 404, 412, 413, 415, 416];

describe.each(PLATFORMS)('junk sent to %s', (platform) => {
  it(`changes nothing and breaks nothing (FUZZ_SEED=${SEED})`, { timeout: 120_000 }, async () => {
    const root = newDirectory();
    const storages = { default: fsStorage({ root, fsync: false, maxSize: '1MiB' }) };
    const app = await startApp({ platform, options: { storages } });
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const before = await stateOf(app, root);
    const junk = new JunkMaker(SEED, id);
    const faults: unknown[] = [];
    const statuses = new Map<number | undefined, number>();
    // Junk that is refused at the door tells nothing of the rooms behind it: there is more until each has answered.
    const missed = () => WANTED.filter((status) => !statuses.has(status));
    let left = REQUESTS;
    let heap = 0;
    const sendAll = async (): Promise<void> => {
      const wire = new HttpWire(app.port);
      while (left-- > 0 || (missed().length > 0 && left > -10 * REQUESTS)) {
        if (left === REQUESTS - WARM_UP) heap = usedHeap();
        const { raw, ...how } = junk.next();
        const status = await wire.send(raw, how).catch(String);
        if (typeof status === 'string' || (status ?? 0) >= 500)
          faults.push([status, raw.toString('latin1').slice(0, 2000)]);
        else statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
      wire.close();
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, sendAll));
    expect(faults).toEqual([]);
    await expect.poll(() => stateOf(app, root)).toBe(before);
    expect(await (await app.fetch(`/files/${id}/content`, { user: 'anna' })).text()).toBe('hello');
    expect(usedHeap() - heap).toBeLessThan(MAX_GROWTH);
    expect(missed()).toEqual([]);
  });
});
