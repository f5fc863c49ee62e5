import { IsOptional, IsString, IsUUID, Length, Matches } from 'class-validator';
import { AcceptFileType, TransferOwnership } from 'nestjs-files';

export class CreateGroupDto {
  @Matches(/^[a-z0-9-]{2,100}$/)
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
