import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { findOwner, resolveOwner } from '../../../lib/ownership/owner-resolution.js';
import { claimOf, outcomeOf } from '../../support/ownership-claims.js';

const unresolved = expect.objectContaining({ code: 'FILES_OWNER_NOT_RESOLVED' }) as Error;
const conflict = expect.objectContaining({ code: 'FILES_OWNER_CONFLICT' }) as Error;

const a = { fileId: 'a' };
const b = { fileId: 'b' };
const body = { title: 'x', resources: [a, b] };

function ownersOf(result: unknown, claim = {}, dtos: object[] = [a, b]): string[] {
  return dtos.map((dto) => resolveOwner(claimOf(dto, 'fileId', claim), outcomeOf(['7', body], result)));
}

describe('a top-level DTO', () => {
  const dto = { attachmentId: 'a' };
  const owner = (result: unknown, claim = {}) =>
    resolveOwner(claimOf(dto, 'attachmentId', claim), outcomeOf(['7', dto], result));

  it('belongs to the result', () => {
    expect(owner({ id: 7, attachmentId: 'a' })).toBe('7');
  });

  it('belongs to a result that does not show the property', () => {
    expect(owner({ id: 'p-1', title: 'x' })).toBe('p-1');
    expect(owner({ id: 'p-1', attachmentId: undefined })).toBe('p-1');
  });

  it('belongs to a result that shows the file as a related object', () => {
    const withRelation = { file: 'a' };
    expect(
      resolveOwner(
        claimOf(withRelation, 'file'),
        outcomeOf([withRelation], { id: 7, file: { id: 'a', name: 'x.pdf' } }),
      ),
    ).toBe('7');
  });

  it.each([
    ['holds another file', { id: 7, attachmentId: 'b' }],
    ['holds no file', { id: 7, attachmentId: null }],
    ['has no id', { attachmentId: 'a' }],
    ['has an id that is no id', { id: {}, attachmentId: 'a' }],
    ['has an empty id', { id: '', attachmentId: 'a' }],
    ['has NaN as id', { id: Number.NaN }],
    ['is wrapped without an id', { data: { id: 7, attachmentId: 'a' } }],
    ['is wrapped in an envelope that has an id of its own', { id: 'request-1', data: { id: 7, attachmentId: 'a' } }],
    ['is a list', [{ id: 7, attachmentId: 'a' }]],
    ['is a list of something with a length', [7]],
    ['is undefined', undefined],
    ['is a text', 'saved'],
  ])('is refused when the result %s', (_, result) => {
    expect(() => owner(result)).toThrow(unresolved);
  });

  it('follows steps down to the owner, and reads its field', () => {
    expect(owner({ package: { id: 9, attachmentId: 'a' }, warnings: [] }, { idSteps: ['package', 'id'] })).toBe('9');
    expect(() => owner({ package: { id: 9, attachmentId: 'b' } }, { idSteps: ['package', 'id'] })).toThrow(unresolved);
  });

  it('is refused a step up, since no object is above it', () => {
    expect(() => owner({ id: 7, attachmentId: 'a' }, { idSteps: ['..', 'id'] })).toThrow(unresolved);
  });

  it('survives results that lead back to themselves', () => {
    const pkg: Record<string, unknown> = { id: 7 };
    pkg['resources'] = [{ package: pkg }];
    expect(owner(pkg)).toBe('7');
  });
});

describe('nested DTOs', () => {
  it.each([
    [
      'in the same order',
      {
        id: 7,
        resources: [
          { id: 1, fileId: 'a' },
          { id: 2, fileId: 'b' },
        ],
      },
    ],
    [
      'reordered',
      {
        id: 7,
        resources: [
          { id: 2, fileId: 'b' },
          { id: 1, fileId: 'a' },
        ],
      },
    ],
    [
      'merged with existing items',
      { id: 7, resources: [{ id: 9, fileId: 'z' }, { id: 2, fileId: 'b' }, { id: 8 }, { id: 1, fileId: 'a' }] },
    ],
    [
      'repeated',
      {
        id: 7,
        resources: [
          { id: 1, fileId: 'a' },
          { id: 1, fileId: 'a' },
          { id: 2, fileId: 'b' },
        ],
      },
    ],
  ])('find their entities %s', (_, result) => {
    expect(ownersOf(result)).toEqual(['1', '2']);
  });

  it.each([
    ['hides the property', { id: 7, resources: [{ id: 1 }, { id: 2 }] }],
    [
      'hides it and is reordered',
      {
        id: 7,
        resources: [
          { id: 2, title: 'b' },
          { id: 1, title: 'a' },
        ],
      },
    ],
    [
      'is wrapped',
      {
        data: {
          id: 7,
          resources: [
            { id: 1, fileId: 'a' },
            { id: 2, fileId: 'b' },
          ],
        },
      },
    ],
    ['has no ids', { resources: [{ fileId: 'a' }, { fileId: 'b' }] }],
    ['drops the items', { id: 7, resources: [] }],
    ['has no such list', { id: 7 }],
    ['has something else at the place', { id: 7, resources: 'two' }],
    ['is nothing', null],
  ])('are refused when the result %s', (_, result) => {
    expect(() => ownersOf(result)).toThrow(unresolved);
  });

  it('say which DTO, field and remedies when they are refused', () => {
    expect(() => ownersOf({})).toThrow(/ResourceDto\.fileId.*queue\.bind\(dto, entity\).*owner: \(result, dto\)/s);
  });

  it('are refused as a conflict when two entities hold the file', () => {
    const result = {
      id: 7,
      resources: [
        { id: 1, fileId: 'a' },
        { id: 3, fileId: 'a' },
        { id: 2, fileId: 'b' },
      ],
    };
    expect(() => ownersOf(result, {}, [a])).toThrow(conflict);
    expect(ownersOf(result, {}, [b])).toEqual(['2']);
  });

  it('belong to the parent object with a step up, and lists do not count as parents', () => {
    const result = { id: 7, resources: [{ fileId: 'b' }, { fileId: 'a' }] };
    expect(ownersOf(result, { idSteps: ['..', 'id'] })).toEqual(['7', '7']);
    expect(() => ownersOf(result, { idSteps: ['..', '..', 'id'] })).toThrow(unresolved);
  });

  it('are found two levels deep, in lists that are both reordered', () => {
    const sent = { groups: [{ items: [{ fileId: 'a' }, { fileId: 'b' }] }, { items: [{ fileId: 'c' }] }] };
    const result = {
      id: 7,
      groups: [
        { id: 'g2', items: [{ id: 3, fileId: 'c' }] },
        {
          id: 'g1',
          items: [
            { id: 2, fileId: 'b' },
            { id: 1, fileId: 'a' },
          ],
        },
      ],
    };
    const dtos = sent.groups.flatMap(({ items }) => items);
    const owners = (idSteps: string[]) =>
      dtos.map((dto) => resolveOwner(claimOf(dto, 'fileId', { idSteps }), outcomeOf([sent], result)));
    expect(owners(['id'])).toEqual(['1', '2', '3']);
    expect(owners(['..', 'id'])).toEqual(['g1', 'g1', 'g2']);
    expect(owners(['..', '..', 'id'])).toEqual(['7', '7', '7']);
  });

  it('are found in an object that is not in a list, and only there', () => {
    const sent = { cover: { fileId: 'a' } };
    const owner = (result: unknown) => resolveOwner(claimOf(sent.cover, 'fileId'), outcomeOf([sent], result));
    expect(owner({ id: 7, cover: { id: 1, fileId: 'a' } })).toBe('1');
    expect(() => owner({ id: 7, cover: { id: 1 }, other: { id: 2, fileId: 'a' } })).toThrow(unresolved);
  });

  it('are found when the body itself is a list', () => {
    const owner = (dto: object) =>
      resolveOwner(
        claimOf(dto, 'fileId'),
        outcomeOf(
          [[a, b]],
          [
            { id: 2, fileId: 'b' },
            { id: 1, fileId: 'a' },
          ],
        ),
      );
    expect([owner(a), owner(b)]).toEqual(['1', '2']);
  });

  it('are told apart by their lists and their properties', () => {
    const sent = { parts: [{ fileId: 'a' }], drafts: [{ fileId: 'a', coverId: 'a' }] };
    const outcome = outcomeOf([sent], {
      parts: [{ id: 1, fileId: 'a' }],
      drafts: [
        { id: 2, fileId: 'a' },
        { id: 3, coverId: 'a' },
      ],
    });
    const owner = (dto: object, property = 'fileId') => resolveOwner(claimOf(dto, property), outcome);
    const [draft] = sent.drafts;
    expect([owner(sent.parts[0]!), owner(draft!), owner(draft!, 'coverId')]).toEqual(['1', '2', '3']);
  });

  it('are never given to an entity of another list', () => {
    expect(() => ownersOf({ id: 7, drafts: [{ id: 1, fileId: 'a' }], resources: [{ id: 2 }] }, {}, [a])).toThrow(
      unresolved,
    );
  });
});

describe('a field with several ids', () => {
  const dto = { fileIds: ['a', 'b'] };
  const owner = (fileId: string, result: unknown) =>
    resolveOwner(claimOf(dto, 'fileIds', { fileId }), outcomeOf([dto], result));

  it('is accepted when the result lists the id', () => {
    expect(owner('b', { id: 7, fileIds: ['b', 'a'] })).toBe('7');
    expect(owner('b', { id: 7, fileIds: [{ id: 'a' }, { id: 'b' }] })).toBe('7');
  });

  it('is refused when the result lists others', () => {
    expect(() => owner('b', { id: 7, fileIds: ['a'] })).toThrow(unresolved);
  });
});

describe('owner()', () => {
  const claimed = (owner: (result: unknown, dto: { fileId: string }) => unknown, idSteps = ['id']) =>
    resolveOwner(
      claimOf(a, 'fileId', { owner: owner as never, idSteps }),
      outcomeOf([body], { items: { a: { id: 5, code: 'x' } } }),
    );

  it('gives the entity or its id', () => {
    expect(claimed((result, dto) => (result as { items: Record<string, object> }).items[dto.fileId])).toBe('5');
    expect(claimed(() => 12)).toBe('12');
    expect(claimed((result, dto) => (result as { items: Record<string, object> }).items[dto.fileId], ['code'])).toBe(
      'x',
    );
  });

  it.each([[undefined], [null], [{}], [''], [true], [Promise.resolve(1)]])('is refused when it gives %s', (value) => {
    expect(() => claimed(() => value)).toThrow(unresolved);
  });
});

describe('bind()', () => {
  it('goes before everything else', () => {
    const claim = claimOf(a, 'fileId', { owner: () => 99 });
    expect(resolveOwner(claim, outcomeOf([body], { resources: [{ id: 1, fileId: 'a' }] }, [[a, { id: 3 }]]))).toBe('3');
  });

  it('is refused when the entity has no id', () => {
    expect(() => resolveOwner(claimOf(a, 'fileId'), outcomeOf([body], {}, [[a, {}]]))).toThrow(unresolved);
  });

  it('counts for a DTO that the method did not get', () => {
    expect(resolveOwner(claimOf(a, 'fileId'), outcomeOf(['7'], {}, [[a, { id: 3 }]]))).toBe('3');
  });

  it('finds the owner when the pipe validated a copy of the argument', () => {
    const copy = { ...a };
    expect(resolveOwner(claimOf(copy, 'fileId'), outcomeOf([body], {}, [[a, { id: 3 }]]))).toBe('3');
  });

  it('goes up from the bound entity only where that is in the result', () => {
    const entity = { id: 1 };
    const up = claimOf(a, 'fileId', { idSteps: ['..', 'id'] });
    expect(resolveOwner(up, outcomeOf([body], { id: 7, resources: [entity] }, [[a, entity]]))).toBe('7');
    expect(() => resolveOwner(up, outcomeOf([body], { id: 7 }, [[a, entity]]))).toThrow(unresolved);
  });
});

describe('a DTO that the method did not get', () => {
  it('is found by property and value', () => {
    const result = {
      id: 7,
      resources: [
        { id: 2, fileId: 'b' },
        { id: 1, fileId: 'a' },
      ],
    };
    expect(resolveOwner(claimOf({ fileId: 'a' }, 'fileId'), outcomeOf([body], result))).toBe('1');
  });

  it('is refused when no argument holds the file in that property', () => {
    expect(() => resolveOwner(claimOf({ fileId: 'q' }, 'fileId'), outcomeOf([body], { id: 7, fileId: 'q' }))).toThrow(
      unresolved,
    );
    expect(() => resolveOwner(claimOf({ fileId: 'a' }, 'fileId'), outcomeOf([], { id: 7, fileId: 'a' }))).toThrow(
      unresolved,
    );
  });

  it('is a conflict when it may be either of two', () => {
    const twice = { resources: [{ fileId: 'a' }, { fileId: 'a' }] };
    const result = {
      resources: [
        { id: 1, fileId: 'a' },
        { id: 2, fileId: 'a' },
      ],
    };
    expect(() => resolveOwner(claimOf({ fileId: 'a' }, 'fileId'), outcomeOf([twice], result))).toThrow(conflict);
  });
});

describe('many files of one call', () => {
  const ids = Array.from({ length: 500 }, (_, n) => `file-${n}`);

  it('cost one look at the list of the result that holds them', () => {
    let looks = 0;
    class Watched extends Array<string> {
      override [Symbol.iterator]() {
        looks++;
        return super[Symbol.iterator]();
      }
    }
    const dto = { fileIds: ids };
    const outcome = outcomeOf([dto], { id: 7, fileIds: Watched.from(ids) });
    const claims = ids.map((fileId) => ({ ...claimOf(dto, 'fileIds'), fileId }));
    expect(new Set(claims.map((claim) => resolveOwner(claim, outcome)))).toEqual(new Set(['7']));
    expect(looks).toBe(1);
  });

  it('cost one look at each object of the result that holds one of them', () => {
    let looks = 0;
    const holder = (fileId: string, n: number) => ({
      id: n,
      get fileId() {
        looks++;
        return fileId;
      },
    });
    const dtos = ids.map((fileId) => ({ fileId }));
    const outcome = outcomeOf([{ resources: dtos }], { resources: ids.map(holder).toReversed() });
    const owners = dtos.map((dto) => resolveOwner(claimOf(dto, 'fileId'), outcome));
    expect(owners).toEqual(ids.map((_, n) => String(n)));
    expect(looks).toBe(ids.length);
  });
});

describe('a refusal', () => {
  const dto = { fileId: 'a' };
  const refusal = (args: unknown[], result: unknown, claim = {}, bindings: [object, object][] = []): string => {
    try {
      return resolveOwner(claimOf(dto, 'fileId', claim), outcomeOf(args, result, bindings));
    } catch (error) {
      return (error as Error).message;
    }
  };
  const nested = [{ parts: [dto] }];

  it.each([
    ['no entity of the result holds it in that field', nested, { parts: [{ id: 1, fileId: 'b' }] }, {}],
    ['the DTO is not among the arguments of the method', ['7'], { id: 7 }, {}],
    ['the result is not an object', [dto], 'text', {}],
    ['the result is not an object', [dto], null, {}],
    ['the result holds something else in "fileId"', [dto], { id: 7, fileId: 'b' }, {}],
    [
      'not the result itself, but an object inside of it holds the file',
      [dto],
      { id: 7, parts: [{ id: 1, fileId: 'a' }] },
      {},
    ],
    ['the result has no id at "part.id"', [dto], { fileId: 'a' }, { idSteps: ['part', 'id'] }],
    ['the entity that holds it has no id at "id"', nested, { parts: [{ fileId: 'a' }] }, {}],
    ['owner() gave boolean', [dto], { id: 7 }, { owner: () => true }],
    ['owner() gave object', [dto], { id: 7 }, { owner: () => null }],
    ['what owner() gave has no id at "id"', [dto], { id: 7 }, { owner: () => ({}) }],
  ])('says that %s', (reason, args, result, claim) => {
    expect(refusal(args, result, claim)).toContain(reason);
    expect(refusal(args, result, claim)).toContain('ResourceDto.fileId');
  });

  it('says that the bound entity has no id', () => {
    expect(refusal([dto], { id: 7 }, {}, [[dto, {}]])).toContain('the bound entity has no id at "id"');
  });

  it('names the owners that a file was given to', () => {
    expect(refusal(nested, { parts: [1, 2].map((id) => ({ id, fileId: 'a' })) })).toMatch(/resource 1.*resource 2/);
  });
});

describe('objects around the data', () => {
  const dto = { fileId: 'a' };
  const owner = (result: unknown, args: unknown[] = [dto]) =>
    resolveOwner(claimOf(dto, 'fileId'), outcomeOf(args, result));

  it('are searched through sets and maps, too', () => {
    const entity = { id: 1, fileId: 'a' };
    expect(owner({ parts: new Set([entity]) }, [{ parts: new Set([dto]) }])).toBe('1');
    expect(owner({ part: new Map([['one', entity]]) }, [{ part: new Map([['one', dto]]) }])).toBe('1');
  });

  it.each([new EventEmitter(), Promise.resolve(), new Date(), new Uint8Array(1)])(
    'are not searched where they are no plain data: %o',
    (stranger) => {
      const holder = Object.assign(stranger, { parts: [{ id: 1, fileId: 'a' }] });
      expect(owner({ id: 7, holder })).toBe('7');
    },
  );

  it('are not searched behind getters, nor in properties that are not enumerable', () => {
    const asked = { id: 7 };
    Object.defineProperty(asked, 'lazy', { enumerable: true, get: () => [{ id: 1, fileId: 'a' }] });
    Object.defineProperty(asked, 'hidden', { enumerable: false, value: [{ id: 1, fileId: 'a' }] });
    expect(owner(asked)).toBe('7');
  });
});

describe('the entities of an owner', () => {
  const dto = { fileId: 'a' };
  const found = (args: unknown[], result: unknown, claim = {}, bindings: [object, object][] = []) =>
    findOwner(claimOf(dto, 'fileId', claim), outcomeOf(args, result, bindings));

  it('hold the id that was read, each listed once', () => {
    const root = { id: 7, fileId: 'a', package: { id: 9, fileId: 'a' } };
    expect(found([dto], root)).toEqual({ id: '7', entities: [root] });
    expect(found([dto], root).entities[0]).toBe(root);
    expect(found([dto], root, { idSteps: ['package', 'id'] }).entities[0]).toBe(root.package);
    const parts = [{ fileId: 'a' }, { fileId: 'a' }];
    const whole = { id: 7, parts };
    const up = found([{ parts: [dto] }], whole, { idSteps: ['..', 'id'] });
    expect(up.entities).toEqual([whole]);
    const copies = [
      { id: 1, fileId: 'a' },
      { id: 1, fileId: 'a' },
    ];
    expect(found([{ parts: [dto] }], { parts: copies }).entities).toEqual(copies);
  });

  it('come from bind() and owner(), and are missing where only an id is given', () => {
    const entity = { id: 3 };
    expect(found([dto], {}, {}, [[dto, entity]]).entities).toEqual([entity]);
    expect(found([dto], {}, { owner: () => entity }).entities).toEqual([entity]);
    expect(found([dto], {}, { owner: () => 3 })).toEqual({ id: '3', entities: [] });
  });

  it('are looked for under both names of the field', () => {
    const claim = { heldAs: 'picture' };
    const result = {
      parts: [
        { id: 1, picture: { id: 'a' } },
        { id: 2, fileId: 'b' },
      ],
    };
    expect(found([{ parts: [dto] }], result, claim).id).toBe('1');
    expect(() => found([{ parts: [dto] }], { parts: [{ id: 1, photo: 'a' }] }, claim)).toThrow(unresolved);
    expect(() => found([dto], { id: 7, parts: [{ id: 1, picture: 'a' }] }, claim)).toThrow(
      'not the result itself, but an object inside of it holds the file',
    );
    expect(found([dto], { id: 7, picture: { id: 'a' } }, claim).id).toBe('7');
    expect(found([dto], { id: 7, picture: 'a', parts: [{ id: 1, picture: 'a' }] }, claim).id).toBe('7');
  });

  it('come from the copies that were bound, and by place where one was not', () => {
    const sent = { parts: [{ fileId: 'a' }, { fileId: 'a' }] };
    const result = { parts: [{ id: 5, fileId: 'a' }] };
    const one = (id: number): [object, object][] => [[sent.parts[1]!, { id }]];
    expect(found([sent], result, {}, one(5)).id).toBe('5');
    expect(() => found([sent], result, {}, one(6))).toThrow('resource 5, resource 6');
  });
});

describe('a conflict', () => {
  it('names each owner once', () => {
    const parts = [1, 2, 1].map((id) => ({ id, fileId: 'a' }));
    const dto = { fileId: 'a' };
    expect(() => resolveOwner(claimOf(dto, 'fileId'), outcomeOf([{ parts: [dto] }], { parts }))).toThrow(
      'File a is named for several owners: resource 1, resource 2. A file has one owner: name it once.',
    );
  });
});
