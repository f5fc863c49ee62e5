import { describe, expect, it } from 'vitest';
import { ownershipOf, ownerTypeOf, OwnsFiles } from '../../../lib/ownership/owns-files.decorator.js';

describe('@OwnsFiles', () => {
  it('tells the owner type of an entity class, and of those that extend it', () => {
    class Bookcase {}
    class GlassBookcase extends Bookcase {}
    class Unrelated {}
    OwnsFiles('bookcase')(Bookcase);
    expect([Bookcase, GlassBookcase, Unrelated].map(ownerTypeOf)).toEqual(['bookcase', 'bookcase', undefined]);
    OwnsFiles('glass', { onDelete: 'delete', idField: 'number' })(GlassBookcase);
    expect([Bookcase, GlassBookcase].map(ownershipOf)).toEqual([
      { ownerType: 'bookcase' },
      { ownerType: 'glass', onDelete: 'delete', idField: 'number' },
    ]);
    expect([undefined, null, 'Bookcase', {}].map(ownershipOf)).toEqual(Array(4).fill(undefined));
  });

  it('takes the last options of a class', () => {
    class Drawer {}
    OwnsFiles('drawer')(Drawer);
    OwnsFiles('drawer', { onDelete: 'release' })(Drawer);
    expect(ownershipOf(Drawer)).toEqual({ ownerType: 'drawer', onDelete: 'release' });
  });

  it('refuses a second type for one class, and a type that no file may have', () => {
    class Cupboard {}
    OwnsFiles('cupboard')(Cupboard);
    expect(() => OwnsFiles('chest')(Cupboard)).toThrow(
      '@OwnsFiles() on class Cupboard: it is the owner type "cupboard" already.',
    );
    expect(ownerTypeOf(Cupboard)).toBe('cupboard');
    expect(() => OwnsFiles('')).toThrow(/Owner type.*not empty/);
    expect(() => OwnsFiles('x'.repeat(65))).toThrow(/64/);
  });
});
