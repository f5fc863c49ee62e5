import { describe, expect, it } from 'vitest';
import { entityClassesOf, ownerTypeOf, OwnsFiles } from '../../../lib/ownership/owns-files.decorator.js';

@OwnsFiles('shelf')
class Shelf {}
class GlassShelf extends Shelf {}
@OwnsFiles('shelf')
class OldShelf {}
class Unrelated {}

describe('@OwnsFiles', () => {
  it('tells the owner type of an entity class, and of those that extend it', () => {
    expect([Shelf, GlassShelf, OldShelf, Unrelated].map(ownerTypeOf)).toEqual(['shelf', 'shelf', 'shelf', undefined]);
  });

  it('tells the entity classes of an owner type', () => {
    expect(entityClassesOf('shelf')).toEqual([Shelf, OldShelf]);
    expect(entityClassesOf('drawer')).toEqual([]);
  });

  it('is refused with a second type for one class, and with a type that no file may have', () => {
    expect(() => OwnsFiles('drawer')(Shelf)).toThrow(/class Shelf.*"shelf" already/);
    expect(() => OwnsFiles('')).toThrow(/Owner type/);
    expect(() => OwnsFiles('x'.repeat(65))).toThrow(/64/);
  });
});
