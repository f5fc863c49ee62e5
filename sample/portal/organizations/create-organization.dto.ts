import { IsOptional, IsString, IsUUID, Length } from 'class-validator';
import { AcceptFileType, TransferOwnership } from 'nestjs-files';
import { IsName } from '../is-name.js';

export class CreateOrganizationDto {
  @IsName()
  name!: string;

  @IsString()
  @Length(1, 200)
  title!: string;

  @IsOptional()
  @IsUUID()
  @AcceptFileType('image')
  @TransferOwnership('organization')
  imageId?: string | null;
}
