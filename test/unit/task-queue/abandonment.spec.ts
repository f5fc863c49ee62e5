import { expect, it } from 'vitest';
import { Abandonment } from '../../../lib/task-queue/call-preparation.js';

it('ends work that began before a call was abandoned, and work that begins afterwards, each once', () => {
  const abandonment = new Abandonment();
  const reason = new Error('gone');
  const ended: unknown[] = [];
  abandonment.whenAbandoned((why) => ended.push(['before', why]));
  expect(() => abandonment.throwIfAbandoned()).not.toThrow();
  expect(ended).toEqual([]);
  abandonment.abandon(reason);
  abandonment.whenAbandoned((why) => ended.push(['afterwards', why]));
  abandonment.abandon(reason);
  expect(ended).toEqual([
    ['before', reason],
    ['afterwards', reason],
  ]);
  expect(() => abandonment.throwIfAbandoned()).toThrow(reason);
});
