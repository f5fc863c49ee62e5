import { Type } from 'class-transformer';
import { IsArray, IsIn, IsOptional, IsString, IsUUID, Length, ValidateNested } from 'class-validator';
import { AcceptFileType, TransferOwnership } from 'nestjs-files';
import { IsName } from '../is-name.js';
import { NestedResourceDto } from '../resources/nested-resource.dto.js';
import type { Visibility } from './package.entity.js';

export class CreatePackageDto {
  @IsName()
  name!: string;

  @IsString()
  @Length(1, 200)
  title!: string;

  @IsOptional()
  @IsIn(['public', 'private'])
  visibility?: Visibility;

  /** A file of the user who saves the package. Saving makes it the package's. */
  @IsOptional()
  @IsUUID()
  @AcceptFileType('application/pdf', 'text', 'image')
  @TransferOwnership('package')
  attachmentId?: string | null;

  /** Each item's file becomes that resource's. */
  @IsOptional()
  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => NestedResourceDto)
  resources?: NestedResourceDto[];
}
