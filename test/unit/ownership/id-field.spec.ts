import { describe, expect, it } from 'vitest';
import { idAt, idHolder, idSteps } from '../../../lib/ownership/id-field.js';
import { ownerIdOf } from '../../../lib/files/owner-reference.js';

describe('the steps to an id', () => {
  const [root, parent] = [{ id: 'root' }, { id: 'parent', size: 3 }];
  const object = { id: 7, name: 'n', package: { id: 9, text: 'long' } };
  const place = { object, parents: [root, parent] };

  it('come from a list of names, or from one name', () => {
    expect([idSteps('id'), idSteps(['a', 'b'])]).toEqual([['id'], ['a', 'b']]);
  });

  it.each([
    [['id'], '7', object],
    [['package', 'id'], '9', object.package],
    [['..', 'id'], 'parent', parent],
    [['..', '..', 'id'], 'root', root],
    [['package', '..', 'id'], '7', object],
    [['package', '..', '..', 'size'], '3', parent],
  ])('lead down and up: %j', (steps, id, holder) => {
    expect(idAt(place, steps)).toBe(id);
    expect(idHolder(place, steps)).toBe(holder);
    expect(place.parents).toEqual([root, parent]);
  });

  it.each([[['..', '..', '..', 'id']], [['none', 'id']], [['package', 'text', 'length']], [['package']], [['none']]])(
    'may lead nowhere: %j',
    (steps) => {
      expect(idAt(place, steps)).toBeUndefined();
    },
  );

  it('lead to no owner where no object is above', () => {
    expect(idHolder({ object, parents: [] }, ['..', 'id'])).toBeUndefined();
    expect(idAt({ object: { a: null }, parents: [] }, ['a', 'id'])).toBeUndefined();
  });

  it('end in a text or a number', () => {
    expect([0, -1, 1.5, 9007199254740993n, 'a', ' '].map(ownerIdOf)).toEqual([
      '0',
      '-1',
      '1.5',
      '9007199254740993',
      'a',
      ' ',
    ]);
    expect([Number.NaN, Infinity, '', true, null, undefined, {}].map(ownerIdOf)).toEqual(Array(7).fill(undefined));
  });
});
