import { describe, expect, it } from 'vitest';
import { Mutex } from '../../../lib/unit-of-work/mutex.js';
import { gate } from '../../support/gate.js';

describe('a mutex', () => {
  it('runs work one after the other, in the order of the calls', async () => {
    const mutex = new Mutex();
    const log: string[] = [];
    const first = gate();
    const runs = ['a', 'b', 'c'].map((name) =>
      mutex.run(async () => {
        log.push(name);
        if (name === 'a') await first.opened;
        log.push(`${name} ends`);
      }),
    );
    expect(log).toEqual(['a']);
    first.open();
    await Promise.all(runs);
    expect(log).toEqual(['a', 'a ends', 'b', 'b ends', 'c', 'c ends']);
  });

  it('lets in as many as it has room for', async () => {
    const mutex = new Mutex(2);
    const [hold, log] = [gate(), [] as number[]];
    const runs = [1, 2, 3].map((n) => mutex.run(() => (log.push(n), hold.opened)));
    expect(log).toEqual([1, 2]);
    hold.open();
    await Promise.all(runs);
    expect(log).toEqual([1, 2, 3]);
  });

  it('lets in the next when work fails', async () => {
    const mutex = new Mutex();
    const failed = mutex.run(() => Promise.reject(new Error('no')));
    const next = mutex.run(() => 'next');
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('next');
  });

  it('passes over callers who have stopped waiting', () => {
    const mutex = new Mutex();
    const log: string[] = [];
    expect(mutex.enter()).toBe(true);
    expect(mutex.enter()).toBe(false);
    const stop = mutex.wait(() => log.push('gave up'));
    mutex.wait(() => log.push('waited'));
    stop();
    mutex.leave();
    expect(log).toEqual(['waited']);
    expect(mutex.enter()).toBe(false);
    mutex.leave();
    expect(mutex.enter()).toBe(true);
  });
});
