import { IsBoolean, IsIn, IsNumberString, IsOptional, IsString } from 'class-validator';

/** The body of `PATCH /files/:id`. */
export class RenameFileInput {
  @IsString() name!: string;
}

/** The body of `POST /files/:id/transfer`. */
export class TransferFileInput {
  @IsString() ownerType!: string;
  @IsString() ownerId!: string;
  /** Pins the file there. */
  @IsOptional() @IsBoolean() pin?: boolean;
  /** Also a pinned file; for managers. */
  @IsOptional() @IsBoolean() force?: boolean;
}

/** The query of `POST /files`. */
export class UploadInput {
  /** Whether the form may have several files, and the answer is a list of them. */
  @IsOptional() @IsIn(['true', 'false']) multiple?: string;
}

/** The query of `GET /files`. */
export class ListFilesInput {
  @IsOptional() @IsString() ownerType?: string;
  @IsOptional() @IsString() ownerId?: string;
  @IsOptional() @IsNumberString({ no_symbols: true }) offset?: string;
  @IsOptional() @IsNumberString({ no_symbols: true }) limit?: string;
  /** The `next` of the page before. */
  @IsOptional() @IsString() cursor?: string;
  /** `size:desc,name`, or JSON: `[["size","desc"],"name"]`. */
  @IsOptional() @IsString() sort?: string;
  /** JSON. */
  @IsOptional() @IsString() filters?: string;
}
