import { describe, expect, it } from 'vitest';
import { actAs, readActor } from '../../../lib/actor/actor.js';
import type { Actor } from '../../../lib/actor/actor.js';

const read = (actor: unknown) => readActor(actor as Actor);

describe('readActor', () => {
  it.each([null, undefined])('takes %s for nobody', (nobody) => {
    expect(readActor(nobody)).toBeNull();
  });

  it.each([
    [7, '7'],
    [0, '0'],
    [9_007_199_254_740_993n, '9007199254740993'],
    [{ toString: () => '65f0c0ffee' }, '65f0c0ffee'],
  ])('writes the id %s as a text', (id, text) => {
    expect(read({ type: 'user', id })).toMatchObject({ type: 'user', id: text });
  });

  it('keeps what the application put on it', () => {
    class Employee {
      readonly type = 'user';
      readonly roles = ['editor'];
      get id() {
        return 7;
      }
      isEditor() {
        return this.roles.includes('editor');
      }
    }
    const actor = read(new Employee()) as unknown as Employee;
    expect([actor.id, actor.roles, actor.isEditor()]).toEqual(['7', ['editor'], true]);
    const plain = { type: 'user', id: '7', roles: ['editor'] };
    expect(read(plain)).toBe(plain);
  });

  it.each([
    [{ sub: 'secret' }, 'it gave { sub }, which has no id'],
    [{ type: 'user', id: undefined }, 'it gave { type, id }, which has no id'],
    [{ type: 'user', id: '' }, 'has no id'],
    [{ type: 'user', id: Number.NaN }, 'has no id'],
    [{ type: 'user', id: {} }, 'has no id'],
    [{ id: '7' }, 'it gave { id }, which has no type'],
    [{ type: '', id: '7' }, 'has no type'],
    ['anna', 'it gave string, which has no id'],
    [true, 'it gave boolean, which has no id'],
  ])('refuses %j, naming the option', (actor, reason) => {
    expect(() => read(actor)).toThrow('FilesModule option "actor": ');
    expect(() => read(actor)).toThrow(reason);
    expect(() => read(actor)).not.toThrow('secret');
  });

  it('reads whom actAs() names', () => {
    const nameless = { type: 'user' } as unknown as Actor;
    expect(() => actAs(nameless, () => 'done')).toThrow('actAs() gave { type }, which has no id');
  });
});
