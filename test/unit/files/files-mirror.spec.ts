import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { faultyStorage, memoryStorage } from 'nestjs-files/testing';
import { Pace } from '../../../lib/files/content/pace.js';
import { FilesMirror } from '../../../lib/files/files-mirror.js';
import type { MirrorOptions, MirrorOutcome } from '../../../lib/files/files-mirror.js';
import type { Storage } from '../../../lib/storage/storage.js';
import { filesHarness } from '../../support/files-harness.js';

async function harness(storages: Record<string, Storage> = {}) {
  const backup = faultyStorage(memoryStorage());
  const world = await filesHarness({ backup, ...storages });
  const mirror = new FilesMirror(world.registry, world.transactor);
  const make = async (count: number) => {
    const made = [];
    for (let at = 0; at < count; at++) {
      made.push(await world.files.create(Buffer.from(`content ${at}`), { name: `${at}.txt`, storage: 'memory' }));
    }
    return made;
  };
  const run = async (options: Partial<MirrorOptions> = {}): Promise<MirrorOutcome[]> => {
    const outcomes: MirrorOutcome[] = [];
    for await (const outcome of mirror.run({ from: 'memory', to: 'backup', ...options })) outcomes.push(outcome);
    return outcomes;
  };
  const kinds = async (options?: Partial<MirrorOptions>) => (await run(options)).map(({ kind }) => kind);
  const put = async (storage: Storage, location: string, content: string) => {
    await storage.remove(location);
    await storage.write(location, Readable.from([Buffer.from(content)]));
  };
  return { ...world, backup, mirror, make, run, kinds, put };
}

describe('a run of FilesMirror', () => {
  it('copies the bytes to the same locations, and only those that are missing when it runs again', async () => {
    const { make, kinds, backup, files, rows } = await harness();
    const made = await make(3);
    expect(await kinds()).toEqual(['copied', 'copied', 'copied']);
    for (const [at, { location }] of made.entries())
      expect(await text(await backup.read(location))).toBe(`content ${at}`);
    await backup.remove(made[1]!.location);
    expect(await kinds()).toEqual(['present', 'copied', 'present']);
    expect(await rows()).toBe(3);
    expect(await files.findMany(made.map(({ id }) => id))).toEqual(made);
  });

  it('copies files that match', async () => {
    const { make, run } = await harness();
    await make(3);
    expect(await run({ filters: { name: '2.txt' } })).toMatchObject([{ kind: 'copied', file: { name: '2.txt' } }]);
  });

  it('stores nothing of bytes that are not the file’s, and goes on with the others', async () => {
    const { make, run, put, registry, backup } = await harness();
    const [changed] = await make(2);
    await put(registry.get('memory'), changed!.location, 'contemt 0');
    expect(await run()).toMatchObject([
      { kind: 'failed', file: { id: changed!.id }, error: { code: 'FILES_FILE_CORRUPT', storage: 'memory' } },
      { kind: 'copied' },
    ]);
    expect(await backup.exists(changed!.location)).toBe(false);
  });

  it('tells of other bytes at the location, by their size, or by their hash if it is to', async () => {
    const { make, run, kinds, put, backup } = await harness();
    const [longer, other] = await make(2);
    await put(backup, longer!.location, 'much longer content');
    await put(backup, other!.location, 'contemt 1');
    expect(await run()).toMatchObject([
      { kind: 'failed', error: { code: 'FILES_LOCATION_TAKEN' } },
      { kind: 'present' },
    ]);
    expect(await run({ deep: true })).toMatchObject([
      { kind: 'failed' },
      { kind: 'failed', error: { code: 'FILES_FILE_CORRUPT', storage: 'backup' } },
    ]);
    await put(backup, other!.location, 'content 1');
    expect(await kinds({ deep: true })).toEqual(['failed', 'present']);
  });

  it('leaves nothing of a write that fails, and writes it when it runs again', async () => {
    const { make, kinds, backup } = await harness();
    await make(1);
    // It looks at the location first.
    backup.failAt(2, 'before');
    expect(await kinds()).toEqual(['failed']);
    backup.heal();
    expect(await kinds()).toEqual(['copied']);
  });

  it('ends with the reason of its signal, and begins with no further copy', async () => {
    const { make, mirror, kinds } = await harness();
    await make(4);
    const ending = new AbortController();
    const copying = async () => {
      for await (const _ of mirror.run({ from: 'memory', to: 'backup', concurrency: 1, signal: ending.signal })) {
        // The first step has all of them.
      }
    };
    ending.abort(new Error('enough'));
    await expect(copying()).rejects.toThrow('enough');
    expect(await kinds()).toEqual(['copied', 'copied', 'copied', 'copied']);
  });

  it.each([
    [{ to: 'memory' }, 'FILES_MOVE_OPTION_INVALID'],
    [{ concurrency: 0 }, 'FILES_MOVE_OPTION_INVALID'],
    [{ rate: 0 }, 'FILES_MOVE_OPTION_INVALID'],
    [{ to: 'nowhere' }, 'FILES_STORAGE_UNKNOWN'],
    [{ to: 'readonly' }, 'FILES_CAPABILITY_MISSING'],
    [{ filters: { nothing: 1 } as never }, 'FILES_SEARCH_QUERY_INVALID'],
  ] satisfies [Partial<MirrorOptions>, string][])('refuses %j before anything is copied', async (options, code) => {
    const { mirror } = await harness({ readonly: memoryStorage({ disable: ['write'] }) });
    expect(() => mirror.run({ from: 'memory', to: 'backup', ...options })).toThrow(expect.objectContaining({ code }));
  });
});

describe('a pace', () => {
  it('lets as many bytes through in a second as it says, of all streams together', async () => {
    let now = 0;
    const sleep = async (milliseconds: number) => void (now += milliseconds);
    const pace = new Pace(1_000, () => now, sleep);
    const source = () => Readable.from([Buffer.alloc(500), Buffer.alloc(500), Buffer.alloc(1_000)]);
    expect((await buffer(pace.through(source()))).length).toBe(2_000);
    expect(now).toBe(1_000);
    await buffer(pace.through(source()));
    // The last thousand bytes pass at once, and hold up only what comes after them.
    expect(now).toBe(3_000);
    now += 60_000;
    await buffer(pace.through(Readable.from([Buffer.alloc(10)], { objectMode: false })));
    expect(now).toBe(63_000);
  });

  it('destroys its source with its stream', async () => {
    const source = Readable.from([Buffer.alloc(10), Buffer.alloc(10)], { objectMode: false });
    const paced = new Pace(1e9).through(source);
    paced.destroy();
    await once(paced, 'close');
    expect(source.destroyed).toBe(true);
  });
});
