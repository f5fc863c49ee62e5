import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { byHeldFile, idsIn, ObjectIndex, Place, placesLike, read } from '../../../lib/ownership/object-index.js';

describe('the objects inside of a value', () => {
  const leaf = { name: 'leaf', fileId: 'a' };
  const middle = { leaves: [{ fileId: 'b' }, leaf], set: new Set([{ fileId: 'c' }]) };
  const root = { middle, map: new Map<unknown, object>([[7, { fileId: 'd' }]]) };

  it('have a path and parents, and lists do not count as parents', () => {
    const index = new ObjectIndex(root);
    expect(index.find(root)).toMatchObject({ object: root, path: [], parents: [] });
    expect(index.find(middle)).toMatchObject({ object: middle, path: ['middle'], parents: [root] });
    expect(index.find(leaf)).toMatchObject({ object: leaf, path: ['middle', 'leaves', 1], parents: [root, middle] });
    const [inSet] = middle.set;
    expect(index.find(inSet!)).toMatchObject({ path: ['middle', 'set', 0], parents: [root, middle] });
    expect(index.find(root.map.get(7)!)).toMatchObject({ path: ['map', '7'], parents: [root] });
    expect([middle.leaves, middle.set, root.map, {}].map((list) => index.find(list))).toEqual(Array(4).fill(undefined));
  });

  it('get the shortest path that leads to them', () => {
    const shared = { name: 'shared' };
    const value = { deep: { deeper: { shared } }, near: { shared } };
    expect(new ObjectIndex(value).find(shared)?.path).toEqual(['near', 'shared']);
  });

  it('take memory in proportion to their number, however deep they are', () => {
    const depth = 20_000;
    let value: object = { fileId: 'deep' };
    for (let level = 1; level < depth; level++) value = { inner: value, fileId: 'a' };
    const before = process.memoryUsage().heapUsed;
    const index = new ObjectIndex(value);
    expect(index.pathsTo('a')).toHaveLength(100);
    const [deepest] = index.holding('fileId', 'deep');
    // Ways of their own would be 200 million steps.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100_000_000);
    expect(deepest?.path).toHaveLength(depth - 1);
    expect(deepest?.parents).toHaveLength(depth - 1);
  });

  it('are found by the name of a property, and by the file in it', () => {
    const index = new ObjectIndex([root, { other: 'a', fileId: undefined }]);
    const objects = (places: readonly { object: object }[]) => places.map(({ object }) => object);
    expect(objects(index.having('fileId'))).toHaveLength(4);
    expect(objects(index.having('name'))).toEqual([leaf]);
    expect(objects(index.holding('fileId', 'a'))).toEqual([leaf]);
    expect(objects(index.holding('other', 'a'))).toHaveLength(1);
    expect(objects(index.holding('fileId', 'z'))).toEqual([]);
  });

  it('are read once, however many files are looked for', () => {
    let looks = 0;
    const watched = {
      get fileId() {
        looks++;
        return 'a';
      },
    };
    const index = new ObjectIndex([watched]);
    for (const id of ['a', 'b', 'c']) index.holding('fileId', id);
    expect(looks).toBe(1);
  });

  it('name the files that stand anywhere in them', () => {
    const index = new ObjectIndex({
      text: 'a',
      list: ['b', { id: 'c' }],
      set: new Set(['d']),
      inner: { related: { id: 'e' }, number: 5 },
      map: new Map([['file', 'f']]),
    });
    const named = ['a', 'b', 'c', 'd', 'e', 'f'].filter((id) => index.pathsTo(id).length > 0);
    expect(named).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(['5', 'text', 'g', 'object'].filter((id) => index.pathsTo(id).length > 0)).toEqual([]);
    expect(new ObjectIndex('a').pathsTo('a')).toEqual([]);
  });

  it.each([undefined, null, 'text', 5, () => 1, new EventEmitter(), Promise.resolve(), new Date(), Buffer.from('x')])(
    'cannot be found in %s',
    (value) => {
      const index = new ObjectIndex(value);
      expect(index.having('constructor')).toEqual([]);
      expect(placesLike(value, [])).toEqual([]);
    },
  );

  it('are listed under each file that they hold, once', () => {
    const both = new Place({ fileIds: ['a', 'b', 'a'] });
    const one = new Place({ fileIds: ['b'] }, both, 'x');
    const held = byHeldFile([both, one], 'fileIds');
    expect([...held]).toEqual([
      ['a', [both]],
      ['b', [both, one]],
    ]);
  });
});

describe('places of the same kind', () => {
  const [a, b, c] = [{ id: 1 }, { id: 2 }, { id: 3 }];
  const objects = (root: unknown, path: (string | number)[]) => placesLike(root, path).map(({ object }) => object);

  it('include every entry of a list, whichever index is given', () => {
    const root = { lists: [{ parts: [a, b] }, { parts: new Set([c]) }] };
    expect(objects(root, ['lists', 0, 'parts', 5])).toEqual([a, b, c]);
    expect(placesLike(root, ['lists', 0, 'parts', 5]).map(({ path }) => path)).toEqual([
      ['lists', 0, 'parts', 0],
      ['lists', 0, 'parts', 1],
      ['lists', 1, 'parts', 0],
    ]);
    expect(placesLike(root, ['lists', 0, 'parts', 0])[0]?.parents).toEqual([root, root.lists[0]]);
  });

  it('include only the same key of a map', () => {
    const root = {
      byName: new Map([
        ['x', a],
        ['y', b],
      ]),
    };
    expect(objects(root, ['byName', 'x'])).toEqual([a]);
    expect(objects(root, ['byName', 'z'])).toEqual([]);
    expect(objects(root, ['byName', 0])).toEqual([a, b]);
  });

  it('are missing where the path leads through something else', () => {
    expect(objects({ parts: a }, ['parts', 0])).toEqual([]);
    expect(objects({ parts: [a] }, ['parts', 'length'])).toEqual([]);
    expect(objects({ parts: Object.assign([a], { first: b }) }, ['parts', 'first'])).toEqual([]);
    expect(objects({ parts: [a] }, ['parts'])).toEqual([]);
    expect(objects({ parts: [[a]] }, ['parts', 0])).toEqual([]);
    expect(objects({ parts: ['text', null, a] }, ['parts', 0])).toEqual([a]);
    expect(objects({}, ['parts'])).toEqual([]);
    expect(objects(a, [])).toEqual([a]);
  });
});

describe('idsIn', () => {
  it.each([
    ['a', ['a']],
    [{ id: 'a' }, ['a']],
    [
      ['a', { id: 'b' }, 7, null, { id: 8 }, ['c']],
      ['a', 'b'],
    ],
    [new Set(['a', { id: 'b' }]), ['a', 'b']],
    [new Map([['id', 'a']]), ['a']],
    [[new Map([['id', 'a']])], []],
    [[Object.assign(['x'], { id: 'a' })], []],
    [7, []],
    [null, []],
    [undefined, []],
    [Object.assign(new Date(), { id: 'a' }), []],
    [[Object.assign(new Date(), { id: 'a' })], []],
  ])('reads %j as the ids %j', (value, ids) => {
    expect(idsIn(value)).toEqual(ids);
  });

  it('reads the key of a map or the name of a property', () => {
    expect([read(new Map([['size', 'a']]), 'size'), read({ size: 'b' }, 'size')]).toEqual(['a', 'b']);
  });
});
