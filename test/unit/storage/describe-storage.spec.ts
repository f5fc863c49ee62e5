import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it, vi } from 'vitest';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { describeStorage } from 'nestjs-files/testing';
import type { StorageAdapter } from '../../../lib/storage/storage-adapter.js';
import type { StorageFactory } from '../../../lib/testing/describe-storage.js';

type Context = { skip(reason: string): void } | undefined;

/** Defines the contract in a framework that hands this context to its tests, and runs it. */
async function runContract(factory: StorageFactory, context: Context, only?: readonly string[]) {
  const tests: [title: string, run: (context: Context) => Promise<void>][] = [];
  describeStorage('mine', factory, { describe: (_, define) => define(), it: (...test) => tests.push(test) });
  const failed: string[] = [];
  for (const [title, run] of tests)
    if (only?.includes(title) ?? true) await run(context).catch(() => failed.push(title));
  return failed;
}

function without(): StorageAdapter {
  const storage = memoryStorage();
  return {
    write: (location, content) => storage.write(location, content),
    read: (location, range) => storage.read(location, range),
  };
}

describe('describeStorage', () => {
  it('takes an adapter, and skips the tests of verbs that it lacks, with the reason', async () => {
    const reasons = new Set<string>();
    const failed = await runContract(without, { skip: (reason) => reasons.add(reason) });
    expect(failed).toEqual([]);
    expect([...reasons].toSorted()).toEqual([
      'the adapter has no copy',
      'the adapter has no copy, no move',
      'the adapter has no directUploads',
      'the adapter has no directUploads, no stat',
      'the adapter has no list',
      'the adapter has no markPlace',
      'the adapter has no move',
      'the adapter has no publicUrl',
      'the adapter has no remove',
      'the adapter has no resumableUploads',
      'the adapter has no resumableUploads, no stat',
      'the adapter has no stat',
      'the adapter has no temporaryUrl',
    ]);
  });

  it('writes the reason to the standard output where the framework cannot tell it', async () => {
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    await runContract(without, undefined);
    const told = write.mock.calls.map(([line]) => String(line)).filter((line) => line.startsWith('skipped'));
    write.mockRestore();
    expect(told).toContain('skipped, because the adapter has no copy: mine: copies, and never over something\n');
    expect(told).toHaveLength(19);
  });

  it('finds an adapter that does not heed ranges, and one that overwrites', async () => {
    const careless = (): StorageAdapter => {
      const stored = new Map<string, Buffer>();
      return {
        write: async (location, content) => void stored.set(location, await buffer(content)),
        read: async (location) => Readable.from([stored.get(location) ?? '']),
      };
    };
    const rules = ['stores an empty file', 'does not overwrite', 'reads ranges, both ends included and cut at the end'];
    expect(await runContract(careless, undefined, rules)).toEqual(rules.slice(1));
  });
});
