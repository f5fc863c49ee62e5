import { PartialType } from '@nestjs/mapped-types';
import { Type } from 'class-transformer';
import { IsString, ValidateNested } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { carriesTransferOwnership } from '../../../lib/validation/rules/transfer-ownership.rule.js';
import { FileExists, TransferOwnership } from '../../../lib/validation/file-constraints.js';

class Plain {
  @IsString() title!: string;
  @FileExists() file!: string;
}
class Direct {
  @TransferOwnership('package') attachmentId!: string;
}
class Derived extends Direct {}
class Nested {
  @ValidateNested() inner!: Direct;
}
class Listed {
  @ValidateNested({ each: true }) @Type(() => Nested) items!: Nested[];
}
class Endless {
  @ValidateNested() @Type(() => Endless) self!: unknown;
}
class Unvalidated {
  @Type(() => Direct) inner!: Direct;
}
class Either {
  @ValidateNested()
  @Type(() => Plain, { discriminator: { property: 'kind', subTypes: [{ name: 'direct', value: Direct }] } })
  one!: unknown;
}

describe('carriesTransferOwnership', () => {
  it.each([Direct, Derived, PartialType(Direct), Nested, Listed, Either])('finds the field in %o', (dto) => {
    expect(carriesTransferOwnership(dto)).toBe(true);
  });

  it.each([Plain, Endless, Unvalidated, Object, Array, undefined, 'Direct'])('finds no field in %o', (dto) => {
    expect(carriesTransferOwnership(dto)).toBe(false);
  });
});
