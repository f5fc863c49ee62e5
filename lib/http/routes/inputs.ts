import {
  ArrayMaxSize,
  ArrayNotEmpty,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsNumberString,
  IsOptional,
  IsString,
  Min,
} from 'class-validator';

const MAX_PARTS_SIGNED = 100;

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
  /** Transfers the file even if it is pinned. Only for managers. */
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

/** The body of `POST /files/uploads`. */
export class BeginUploadInput {
  @IsString() name!: string;
  /** Bytes. */
  @IsInt() @Min(0) size!: number;
  @IsOptional() @IsString() contentType?: string;
  @IsOptional() @IsString() storage?: string;
  /** `sha256:9f86d0…` */
  @IsOptional() @IsString() checksum?: string;
}

/** The body of `POST /files/uploads/:id/parts`. */
export class SignPartsInput {
  /** The first is 1. */
  @IsArray() @ArrayNotEmpty() @ArrayMaxSize(MAX_PARTS_SIGNED) @IsInt({ each: true }) numbers!: number[];
}
