import type { FileHandle } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { FsFlush } from '../../../lib/storage/adapters/fs-flush.js';

const ENOUGH = 64 * 1024 * 1024;

/** A file whose flushes end when the test says so. */
function setUp() {
  const flushes: PromiseWithResolvers[] = [];
  const datasync = (): Promise<void> => {
    const flush = withResolvers();
    flushes.push(flush);
    return flush.promise;
  };
  return { flush: new FsFlush({ datasync } as unknown as FileHandle), flushes };
}

interface PromiseWithResolvers {
  promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

function withResolvers(): PromiseWithResolvers {
  let [resolve, reject]: [() => void, (error: Error) => void] = [() => {}, () => {}];
  const promise = new Promise<void>((...both) => ([resolve, reject] = both));
  return { promise, resolve: () => resolve(), reject: (error) => reject(error) };
}

async function isPending(promise: Promise<void>): Promise<boolean> {
  let pending = true;
  void promise.then(() => (pending = false));
  await new Promise(setImmediate);
  return pending;
}

it('begins to flush a large file while it is written, and goes on meanwhile', async () => {
  const { flush, flushes } = setUp();
  await flush.add(ENOUGH - 1);
  expect(flushes).toHaveLength(0);
  await flush.add(1);
  await flush.add(ENOUGH - 1);
  expect(flushes).toHaveLength(1);
});

it('waits for a disk that falls behind', async () => {
  const { flush, flushes } = setUp();
  await flush.add(ENOUGH);
  const second = flush.add(ENOUGH);
  expect(await isPending(second)).toBe(true);
  flushes[0]!.resolve();
  await second;
  expect(flushes).toHaveLength(2);
});

it('finishes once every byte is flushed, also those written after the last flush', async () => {
  const { flush, flushes } = setUp();
  await flush.add(ENOUGH);
  const finished = flush.finish();
  flushes[0]!.resolve();
  expect(await isPending(finished)).toBe(true);
  flushes[1]!.resolve();
  await finished;
});

it('fails at its end when an earlier flush has failed, though a later one would succeed', async () => {
  const { flush, flushes } = setUp();
  await flush.add(ENOUGH);
  flushes[0]!.reject(new Error('EIO'));
  await new Promise(setImmediate);
  await expect(flush.finish()).rejects.toThrow('EIO');
});

it('tells the writer as soon as it would flush again that a flush has failed', async () => {
  const { flush, flushes } = setUp();
  await flush.add(ENOUGH);
  flushes[0]!.reject(new Error('EIO'));
  await expect(flush.add(ENOUGH)).rejects.toThrow('EIO');
});

it('settles when the flush that runs has ended, whether it failed or not', async () => {
  const { flush, flushes } = setUp();
  await flush.add(ENOUGH);
  const settled = flush.settle();
  expect(await isPending(settled)).toBe(true);
  flushes[0]!.reject(new Error('EIO'));
  await settled;
});
