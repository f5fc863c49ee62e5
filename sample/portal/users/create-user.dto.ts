import { IsOptional, IsString, IsUUID, Length, Matches } from 'class-validator';
import { AcceptFileType, TransferOwnership } from 'nestjs-files';

export class CreateUserDto {
  @Matches(/^[a-z0-9-]{2,100}$/)
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
