import { describe, expect, it } from 'vitest';
import { Fifo } from '../../../lib/task-queue/fifo.js';

const item = (n: number) => ({ n });

describe('Fifo', () => {
  it('returns items in order while others are added and removed', () => {
    const fifo = new Fifo<{ n: number }>();
    const taken: number[] = [];
    for (let n = 0; n < 5000; n++) {
      fifo.push(item(n));
      if (n % 3 === 0) taken.push(fifo.shift()!.n);
    }
    while (fifo.size > 0) taken.push(fifo.shift()!.n);
    expect(taken).toEqual(Array.from({ length: 5000 }, (_, n) => n));
    expect(fifo.shift()).toBeUndefined();
    fifo.push(item(1));
    expect(fifo.shift()).toEqual(item(1));
  });

  it('lists the remaining items, and shows the next one', () => {
    const fifo = new Fifo<{ n: number }>();
    expect(fifo.peek()).toBeUndefined();
    for (let n = 0; n < 3000; n++) fifo.push(item(n));
    for (let n = 0; n < 1024; n++) fifo.shift();
    expect(fifo.peek()).toEqual(item(1024));
    expect([...fifo].map(({ n }) => n)).toEqual(Array.from({ length: 1976 }, (_, n) => n + 1024));
    expect(fifo.size).toBe(1976);
  });
});
