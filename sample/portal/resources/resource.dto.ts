import { IsString, IsUUID, Length } from 'class-validator';
import { TransferOwnership } from 'nestjs-files';

/** What every way of saving a resource takes. */
export class ResourceDto {
  @IsString()
  @Length(1, 100)
  name!: string;

  /** A file of the user who saves the resource. Saving makes it the resource's. */
  @IsUUID(undefined, { message: '$property must be the id of a file' })
  @TransferOwnership('resource')
  fileId!: string;
}
