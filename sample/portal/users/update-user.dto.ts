import { OmitType, PartialType } from '@nestjs/mapped-types';
import { IsString, ValidateIf } from 'class-validator';
import { CreateUserDto } from './create-user.dto.js';

export class UpdateUserDto extends PartialType(OmitType(CreateUserDto, ['name']), { skipNullProperties: false }) {
  /** Who has found a session open must not be able to keep the account. */
  @ValidateIf(({ password, currentPassword }: UpdateUserDto) => password !== undefined || currentPassword !== undefined)
  @IsString()
  currentPassword?: string;
}
