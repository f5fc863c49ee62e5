import { createReadStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { AssembledFiles } from '../../support/files-harness.js';
import { newDirectory } from '../../support/files-directory.js';
import { filesHarness } from '../../support/files-harness.js';

const SPENT = { code: 'FILES_CONTENT_SPENT' };
const unread = () => Readable.from(['con', 'tent'], { objectMode: false });

/** Streams that were read, in all the ways in which that happens. */
const READ: [string, () => Promise<Readable>][] = [
  [
    'hashed',
    async () => {
      const stream = unread();
      await pipeline(stream, createHash('sha256'));
      return stream;
    },
  ],
  [
    'collected',
    async () => {
      const stream = unread();
      await text(stream);
      return stream;
    },
  ],
  [
    'piped',
    async () => {
      const stream = unread();
      await once(stream.pipe(new PassThrough()), 'readable');
      return stream;
    },
  ],
  [
    'read in part',
    async () => {
      const stream = unread();
      await once(stream, 'readable');
      stream.read(3);
      return stream;
    },
  ],
];

/** Everything that takes content. */
const TAKERS: [string, (app: AssembledFiles, content: Readable, id: string) => Promise<unknown>][] = [
  ['create', ({ files }, content) => files.create(content, { name: 'a.txt' })],
  ['replace', ({ files }, content, id) => files.replace(id, content)],
  ['createAll', ({ files }, content) => files.createAll(listOf(unread(), content))],
  ['write', ({ registry }, content) => registry.get('default').write('x', content)],
];

async function* listOf(...contents: Readable[]) {
  for (const content of contents) yield { content, name: 'a.txt' };
}

describe.each(TAKERS)('%s', (_, take) => {
  it.each(READ)('refuses a stream that was %s, and changes nothing', async (_name, read) => {
    const app = await filesHarness();
    const file = await app.files.create(Buffer.from('b'), { name: 'old.txt' });
    await expect(take(app, await read(), file.id)).rejects.toMatchObject(SPENT);
    expect(await app.rows()).toBe(1);
    expect(await text(await app.files.stream(file.id))).toBe('b');
    expect(await app.intents()).toEqual([]);
  });
});

describe('a stream that is given twice', () => {
  it('makes one file, whole', async () => {
    const { files, rows } = await filesHarness();
    const content = unread();
    const made = [files.create(content, { name: 'a.txt' }), files.create(content, { name: 'b.txt' })];
    const [first, second] = await Promise.allSettled(made);
    expect(first).toMatchObject({ status: 'fulfilled', value: { size: 7 } });
    expect(second).toMatchObject({ status: 'rejected', reason: SPENT });
    expect(await rows()).toBe(1);
  });
});

describe('content in a unit of work that runs again', () => {
  const failure = () => Object.assign(new Error('serialization'), { code: '40001' });

  it('is refused as a stream, and stores nothing', async () => {
    const { files, queue, rows } = await filesHarness();
    const content = unread();
    let runs = 0;
    const work = async () => {
      await files.create(content, { name: 'a.txt' });
      if (++runs === 1) throw failure();
    };
    await expect(queue.run(work, { retry: 1 })).rejects.toMatchObject(SPENT);
    expect(await rows()).toBe(0);
  });

  it.each<[string, (path: string) => () => Readable | Buffer | Promise<Readable>]>([
    ['opens a stream', (path) => () => createReadStream(path)],
    ['gives bytes', () => () => Buffer.from('content')],
    ['opens a stream later', (path) => () => Promise.resolve(createReadStream(path))],
  ])('is complete as a function that %s', async (_, contentOf) => {
    const { files, queue, rows } = await filesHarness();
    const path = join(newDirectory(), 'a.txt');
    writeFileSync(path, 'content');
    let runs = 0;
    const file = await queue.run(
      async () => {
        const made = await files.create(contentOf(path), { name: 'a.txt' });
        if (++runs === 1) throw failure();
        return made;
      },
      { retry: 1 },
    );
    expect([runs, file.size, await rows()]).toEqual([2, 7, 1]);
  });

  it('fails with the error of the function', async () => {
    const { files } = await filesHarness();
    const missing = () => Promise.reject(new Error('no such report'));
    await expect(files.create(missing, { name: 'a.txt' })).rejects.toThrow('no such report');
  });
});
