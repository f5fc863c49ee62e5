import { IsIn, IsOptional, IsString, ValidateIf } from 'class-validator';
import type { FileOperation } from 'nestjs-files';

const OPERATIONS: FileOperation[] = ['read', 'stream', 'update', 'delete', 'transfer', 'pin'];

/** The search of a manager. */
export class FindFilesDto {
  /** A part of the name. */
  @IsOptional()
  @IsString()
  name?: string;

  /** The type of the owner; `none` for files without one. */
  @IsOptional()
  @IsString()
  ownerType?: string;

  /** The begin of the content type: `image/`. */
  @IsOptional()
  @IsString()
  contentType?: string;

  @IsOptional()
  @IsIn(['yes', 'no'])
  pinned?: 'yes' | 'no';

  /** The actor whose access is explained: the id of a user, or none for an anonymous one. */
  @ValidateIf((query: FindFilesDto) => query.as !== undefined)
  @IsString()
  as?: string;

  @IsOptional()
  @IsIn(OPERATIONS)
  operation: FileOperation = 'read';

  @IsOptional()
  @IsString()
  after?: string;
}
