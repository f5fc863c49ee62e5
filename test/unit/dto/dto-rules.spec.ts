import { Type } from 'class-transformer';
import { IsString, ValidateNested } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { carriesRule, nestedClasses, rulesOf } from '../../../lib/dto/dto-rules.js';

class Part {
  @IsString() name!: string;
}
class SparePart extends Part {
  @IsString() shelf!: string;
}

class Order {
  @ValidateNested() part!: Part;
  @ValidateNested({ each: true }) @Type(() => Part) parts!: Part[];
  @ValidateNested()
  @Type(() => Part, { discriminator: { property: 'kind', subTypes: [{ name: 'spare', value: SparePart }] } })
  any!: unknown;
  @ValidateNested()
  @Type((options) => (options!.object['kind'] === 'spare' ? SparePart : Part))
  depends!: unknown;
  @Type(() => Part) unvalidated!: Part;
  @IsString() text!: string;
}

const classes = (property: string) => nestedClasses(Order, property).filter((one) => one !== undefined);

describe('the classes that a property is validated as', () => {
  it.each([
    ['its design type', 'part', [Part]],
    ['what @Type() says', 'parts', [Array, Part]],
    ['those of the discriminator', 'any', [Object, Part, SparePart]],
    ['its design type alone where @Type() looks at the object', 'depends', [Object]],
    ['none without @ValidateNested()', 'unvalidated', []],
    ['none of a text', 'text', []],
    ['none of what is not there', 'missing', []],
  ])('are %s', (_, property, expected) => {
    expect(classes(property)).toEqual(expected);
  });

  it('are empty for anything that is not a class', () => {
    expect(nestedClasses(undefined, 'part')).toEqual([]);
    expect(nestedClasses({ part: Part }, 'part')).toEqual([]);
    expect(rulesOf('Order')).toEqual([]);
  });

  it('are looked through for rules, also where classes name each other', () => {
    class Endless {
      @ValidateNested() @Type(() => Endless) self!: unknown;
      @ValidateNested() order!: Order;
    }
    const has = (dtoClass: unknown, property: string) =>
      carriesRule(dtoClass, ({ target, propertyName }) => target === SparePart && propertyName === property);
    expect([has(SparePart, 'shelf'), has(Order, 'shelf'), has(Endless, 'shelf')]).toEqual([true, true, true]);
    expect([has(Endless, 'text'), has(Part, 'shelf'), has('SparePart', 'shelf')]).toEqual([false, false, false]);
  });
});
