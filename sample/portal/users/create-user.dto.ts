import { IsOptional, IsString, IsUUID, Length } from 'class-validator';
import { AcceptFileType, TransferOwnership } from 'nestjs-files';
import { IsName } from '../is-name.js';

export class CreateUserDto {
  @IsName()
  name!: string;

  @IsString()
  @Length(1, 200)
  fullName!: string;

  @IsString()
  @Length(8, 200)
  password!: string;

  @IsOptional()
  @IsUUID()
  @AcceptFileType('image')
  @TransferOwnership('user')
  avatarId?: string | null;
}
