import { expect, it } from 'vitest';
import { overrideMember } from '../../../lib/unit-of-work/typeorm/override-member.js';

class Source {
  readonly field: string = 'own';
  method(): string {
    return 'inherited';
  }
}

it('is there in place of a member until it is taken back, and may be replaced itself', () => {
  const source = new Source();
  const restore = [
    overrideMember(source, 'method', () => 'overridden'),
    overrideMember(source, 'field' as never, 'overridden' as never),
  ];
  expect([source.method(), source.field, new Source().method()]).toEqual(['overridden', 'overridden', 'inherited']);
  expect(Object.keys(source)).toEqual([]);
  source.method = () => 'replaced';
  expect(source.method()).toBe('replaced');
  for (const undo of restore) undo();
  expect([source.method(), Object.hasOwn(source, 'method')]).toEqual(['inherited', false]);
  expect(Object.getOwnPropertyDescriptor(source, 'field')).toEqual({
    value: 'own',
    configurable: true,
    enumerable: true,
    writable: true,
  });
});
