import { describe, expect, it } from 'vitest';
import { entityClassesOf, ownerTypeOf, OwnsFiles } from '../../../lib/ownership/owns-files.decorator.js';

@OwnsFiles('bookcase')
class Bookcase {}
class GlassBookcase extends Bookcase {}
@OwnsFiles('bookcase')
class OldBookcase {}
class Unrelated {}

describe('@OwnsFiles', () => {
  it('tells the owner type of an entity class, and of those that extend it', () => {
    expect([Bookcase, GlassBookcase, OldBookcase, Unrelated].map(ownerTypeOf)).toEqual([
      'bookcase',
      'bookcase',
      'bookcase',
      undefined,
    ]);
  });

  it('tells the entity classes of an owner type', () => {
    expect(entityClassesOf('bookcase')).toEqual([Bookcase, OldBookcase]);
    expect(entityClassesOf('drawer')).toEqual([]);
  });

  it('is refused with a second type for one class, and with a type that no file may have', () => {
    expect(() => OwnsFiles('drawer')(Bookcase)).toThrow(
      '@OwnsFiles() on class Bookcase: it is the owner type "bookcase" already.',
    );
    expect(() => OwnsFiles('bookcase')(Bookcase)).not.toThrow();
    expect(entityClassesOf('bookcase')).toEqual([Bookcase, OldBookcase]);
    expect(() => OwnsFiles('')).toThrow(/Owner type/);
    expect(() => OwnsFiles('x'.repeat(65))).toThrow(/64/);
  });
});
