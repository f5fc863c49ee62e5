import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { byHand } from './by-hand.js';
import { ours } from './ours.js';
import { clientOptions } from './store.js';
import type { Place } from './store.js';

/** What a contestant is to do, and how often. */
export interface Task {
  readonly what: 'upload' | 'remove' | 'uploads' | 'ranges' | 'list' | 'sweep';
  /** MiB of an upload; otherwise how many. */
  readonly amount: number;
}

export interface Outcome {
  /** Of the amount. */
  readonly perSecond: number;
  /** The most resident memory during it, over that before: MiB. */
  readonly growth: number;
}

const MEBIBYTE = 1024 * 1024;
const SMALL = 100 * 1024;
const UPLOADS_AT_ONCE = 16;
const READS_AT_ONCE = 8;
const chunk = randomBytes(256 * 1024);

const [, , name = '', given = '{}'] = process.argv;
const place = JSON.parse(given) as Place;
const store = await (name === 'by hand' ? byHand(place) : ours(place));
let large: { id: string; size: number } | undefined;

function bytes(size: number): Readable {
  let left = size;
  return new Readable({
    read() {
      const piece = chunk.subarray(0, Math.min(left, chunk.length));
      left -= piece.length;
      this.push(piece.length > 0 ? piece : null);
    },
  });
}

async function atOnce(count: number, lanes: number, work: (at: number) => Promise<void>): Promise<void> {
  const left = Array.from({ length: count }, (_, at) => at).values();
  const lane = async (): Promise<void> => {
    for (const at of left) await work(at);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function upload(mebibytes: number): Promise<void> {
  const size = mebibytes * MEBIBYTE;
  large = { id: await store.add(bytes(size)), size };
}

/** Servers of tests have little room. */
async function remove(): Promise<void> {
  if (large) await store.remove(large.id);
  large = undefined;
}

async function uploads(count: number): Promise<void> {
  await atOnce(count, UPLOADS_AT_ONCE, async () => void (await store.add(bytes(SMALL))));
}

async function ranges(count: number): Promise<void> {
  const { id, size } = large ?? { id: '', size: MEBIBYTE };
  await atOnce(count, READS_AT_ONCE, async (at) => {
    const start = ((at * 37) % (size / MEBIBYTE)) * MEBIBYTE;
    let read = 0;
    for await (const piece of await store.read(id, start, start + MEBIBYTE - 1)) read += (piece as Buffer).length;
    if (read !== MEBIBYTE) throw new Error(`${read} bytes came of a range of ${MEBIBYTE}.`);
  });
}

/** Objects that no row answers for. */
async function plant(count: number): Promise<string[]> {
  const client = new S3Client(clientOptions(place.endpoint));
  const names = Array.from({ length: count }, (_, at) => `planted/${at}`);
  await atOnce(count, UPLOADS_AT_ONCE, async (at) => {
    const object = { Bucket: place.bucket, Key: place.prefix + names[at], Body: 'x' };
    await client.send(new PutObjectCommand(object));
  });
  client.destroy();
  return names;
}

async function list(count: number): Promise<void> {
  const found = await store.count();
  if (found < count) throw new Error(`${found} objects were listed of ${count}.`);
}

const TASKS: Record<Task['what'], (amount: number, names: string[]) => Promise<void>> = {
  upload,
  remove,
  uploads,
  ranges,
  list,
  sweep: (_amount, names) => store.sweep(names),
};

/** Memory is looked at all the time, because the peak since the start has the start in it. */
async function run({ what, amount }: Task): Promise<Outcome> {
  const names = what === 'list' || what === 'sweep' ? await plant(amount) : [];
  const before = process.memoryUsage.rss();
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20);
  const begun = performance.now();
  await TASKS[what](amount, names);
  const perSecond = (amount * 1000) / (performance.now() - begun);
  clearInterval(watch);
  return { perSecond, growth: (peak - before) / MEBIBYTE };
}

process.on('message', (task: Task) => {
  void run(task).then((outcome) => process.send?.(outcome));
});
process.on('disconnect', () => void store.close());
process.send?.('ready');
