import { Duplex, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { OpenStreams } from '../../../lib/unit-of-work/transaction/transaction-state.js';

/** What has been closed so far, by now. */
async function settled(closed: Promise<void>): Promise<boolean> {
  const isClosed = closed.then(() => true);
  await new Promise(setImmediate);
  return Promise.race([isClosed, Promise.resolve(false)]);
}

describe('a stream of rows', () => {
  it('is closed once it was read to its end, also where it could be written to', async () => {
    const rows = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    const closed = new OpenStreams().closed(rows);
    rows.push('row');
    rows.push(null);
    expect(await settled(closed)).toBe(false);
    rows.resume();
    await closed;
  });

  it('is closed where it has failed, or was given up', async () => {
    const streams = new OpenStreams();
    const [failing, given, left] = [new Readable(), new Readable(), new Readable({ read: () => undefined })];
    const closed = [failing, given, left].map((stream) => streams.closed(stream));
    failing.destroy(new Error('no'));
    given.destroy();
    await Promise.all(closed.slice(0, 2));
    expect(left.destroyed).toBe(false);
    streams.destroy();
    await closed[2];
    expect(left.destroyed).toBe(true);
  });
});
