import { expect, it } from 'vitest';
import { Together } from '../../../lib/files/together.js';

function world(most = 100, fails: (items: readonly number[]) => boolean = () => false) {
  const groups: number[][] = [];
  const together = new Together<number, string>(most, async (items) => {
    groups.push([...items]);
    await Promise.resolve();
    if (fails(items)) throw new Error(`no ${items.join(' ')}`);
    return items.map((item) => `done ${item}`);
  });
  return { groups, together };
}

it('does what is given in one turn together, as many as there may be, and answers each', async () => {
  const { together, groups } = world(2);
  expect(await Promise.all([1, 2, 3].map((item) => together.do(item)))).toEqual(['done 1', 'done 2', 'done 3']);
  expect(groups).toEqual([[1, 2], [3]]);
});

it('does what is given while others are worked on after them, together', async () => {
  const { together, groups } = world();
  const later: Promise<string>[] = [];
  const first = together.do(1);
  setImmediate(() => later.push(together.do(2), together.do(3)));
  await first;
  await new Promise((resolve) => setImmediate(resolve));
  expect(await Promise.all(later)).toEqual(['done 2', 'done 3']);
  expect(groups).toEqual([[1], [2, 3]]);
});

it('does each alone where the work fails for several, and tells only those why that fail alone', async () => {
  const { together, groups } = world(100, (items) => items.includes(2));
  const outcomes = await Promise.allSettled([1, 2, 3].map((item) => together.do(item)));
  expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : String(outcome.reason)))).toEqual([
    'done 1',
    'Error: no 2',
    'done 3',
  ]);
  expect(groups).toEqual([[1, 2, 3], [1], [2], [3]]);
});
