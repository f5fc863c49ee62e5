import { IsOptional, IsString, IsUUID, Length } from 'class-validator';
import { AcceptFileType, TransferOwnership } from 'nestjs-files';
import { IsName } from '../is-name.js';

export class CreateGroupDto {
  @IsName()
  name!: string;

  @IsString()
  @Length(1, 200)
  title!: string;

  @IsOptional()
  @IsUUID()
  @AcceptFileType('image')
  @TransferOwnership('group')
  imageId?: string | null;
}
