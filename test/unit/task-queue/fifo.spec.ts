import { describe, expect, it } from 'vitest';
import { Fifo } from '../../../lib/task-queue/fifo.js';

const item = (n: number) => ({ n });

describe('Fifo', () => {
  it('gives back in order what was put in while others were taken out', () => {
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

  it('lists what is left, and says what comes next', () => {
    const fifo = new Fifo<{ n: number }>();
    expect(fifo.peek()).toBeUndefined();
    for (let n = 0; n < 3000; n++) fifo.push(item(n));
    for (let n = 0; n < 1024; n++) fifo.shift();
    expect(fifo.peek()).toEqual(item(1024));
    expect([...fifo].map(({ n }) => n)).toEqual(Array.from({ length: 1976 }, (_, n) => n + 1024));
    expect(fifo.size).toBe(1976);
  });
});
