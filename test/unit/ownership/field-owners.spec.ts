import { describe, expect, it } from 'vitest';
import type { DetachedField } from '../../../lib/ownership/detached/detached-field.js';
import { fieldOwners } from '../../../lib/ownership/detached/field-owners.js';
import { receivedOf } from '../../../lib/ownership/owner-resolution.js';
import { outcomeOf } from '../../support/ownership-claims.js';

/** The field `fileId` of a DTO, which was sent empty. */
function emptied(dto: object, field: Partial<DetachedField> = {}): DetachedField {
  const common = { dtoName: 'PartDto', property: 'fileId', ownerType: 'part', idSteps: ['id'], rule: {} };
  return { dto, sent: null, detached: 'release', ...common, ...field };
}

describe('an emptied field of a body', () => {
  const dto = { fileId: null };
  const owners = (result: unknown, field = {}, args: unknown[] = ['7', dto]) =>
    fieldOwners(emptied(dto, field), outcomeOf(args, result));

  it('is one of the result', () => {
    expect(owners({ id: 7, fileId: null })).toEqual(['7']);
    expect(owners({ id: 7 })).toEqual(['7']);
    expect(owners({ id: 7, parts: [{ id: 1 }] })).toEqual(['7']);
  });

  it.each([
    [undefined, 'the result is not an object'],
    [null, 'the result is not an object'],
    ['text', 'the result is not an object'],
    [{ id: 7, fileId: 'a' }, 'the result still holds a file in "fileId"'],
    [{ id: 7, file: { fileId: null } }, 'not the result itself, but an object inside of it has "fileId"'],
    [{ fileId: null }, 'the entity has no id at "id"'],
  ])('is refused when the result is %j', (result, reason) => {
    expect(() => owners(result)).toThrow(`PartDto.fileId`);
    expect(() => owners(result)).toThrow(reason);
  });

  it('is told at which steps an id is missing', () => {
    expect(() => owners({ id: 7 }, { idSteps: ['part', 'id'] })).toThrow('the entity has no id at "part.id"');
  });

  it('may show files where a list was sent that names none', () => {
    expect(owners({ id: 7, fileId: ['a'] }, { sent: [] })).toEqual(['7']);
  });

  it('is found by the file where it names one', () => {
    const named = { fileId: 'a' };
    const outcome = outcomeOf([named], { id: 8, fileId: 'a' });
    expect(fieldOwners(emptied(named, { sent: ['a'] }), outcome)).toEqual(['8']);
    const parts = [
      { id: 1, fileId: 'b' },
      { id: 2, fileId: 'a' },
    ];
    expect(fieldOwners(emptied(named, { sent: ['a'] }), outcomeOf([{ parts: [named] }], { parts }))).toEqual(['2']);
  });

  it('is that of the entity which bind() or owner() names', () => {
    const bound = outcomeOf([dto], 'text', [[dto, { id: 9 }]]);
    expect(fieldOwners(emptied(dto), bound)).toEqual(['9']);
    expect(owners('text', { owner: () => 'o-1' })).toEqual(['o-1']);
    const received = { fileId: null };
    expect(fieldOwners(emptied(dto), outcomeOf([received], 'text', [[received, { id: 4 }]]))).toEqual(['4']);
  });

  it('is that of the one argument whose field is empty, where a copy was validated', () => {
    const result = { id: 7 };
    expect(owners(result, {}, ['7', { fileId: null }])).toEqual(['7']);
    for (const args of [['7'], ['7', { fileId: 'a' }], [{ fileId: null }, { fileId: null }]]) {
      expect(() => owners(result, {}, args)).toThrow('the DTO is not among the arguments of the method');
    }
  });
});

describe('an emptied field of an item', () => {
  const item = (id?: number) => ({ ...(id !== undefined && { id }), fileId: null });
  const owners = (dto: object, parts: unknown[], items: object[] = [dto]) =>
    fieldOwners(emptied(dto), outcomeOf([{ parts: items }], { parts }));

  it('is one of the entity with its id', () => {
    expect(owners(item(2), [item(1), item(2), { id: 2, fileId: 'a' }])).toEqual(['2']);
  });

  it('is one of any entity that shows it empty, where the item has no id', () => {
    expect(owners(item(), [item(1), { id: 2, fileId: 'a' }, { id: 3 }, item(1)])).toEqual(['1', '3']);
  });

  it('is one of itself where the result has the item', () => {
    const dto = item();
    expect(owners(dto, [item(1), Object.assign(dto, { id: 5 })])).toEqual(['5']);
  });

  it('is refused where no entity shows it empty', () => {
    const reason = 'the result has no entity at its place whose "fileId" is empty';
    expect(() => owners(item(2), [item(1)])).toThrow(reason);
    expect(() => owners(item(1), [{ id: 1, fileId: 'a' }])).toThrow(reason);
    expect(() => owners(item(), [])).toThrow(reason);
  });
});

describe('a field that was validated several times', () => {
  const [copy, received] = [{ name: 'copy' }, { name: 'received' }];
  const [rule, other] = [{ name: 'rule' }, { name: 'other' }];

  it('counts on the DTOs that the method got, if there are such', () => {
    const found = [
      { dto: copy, rule },
      { dto: received, rule },
      { dto: copy, rule: other },
    ];
    expect(receivedOf(found, outcomeOf([received], {}))).toEqual([found[1], found[2]]);
    expect(receivedOf(found, outcomeOf(['7'], {}))).toEqual(found);
  });
});
