import { ArrayMaxSize, IsString, IsUUID, Length } from 'class-validator';

/** What contestants without this library validate: that ids look like ids. */
export class AttachOneDto {
  @IsString() @Length(1, 200) title!: string;
  @IsUUID() attachmentId!: string;
}

export class AttachManyDto {
  @IsString() @Length(1, 200) title!: string;
  @IsUUID('all', { each: true }) @ArrayMaxSize(1000) fileIds!: string[];
}

/** What each contestant's service does: both answer with the package as it was saved. */
export abstract class AttachService {
  abstract attachOne(id: number, dto: AttachOneDto): Promise<object>;
  abstract attachMany(id: number, dto: AttachManyDto): Promise<object>;
}

/** Who acts, in all contestants. */
export const ADA = { type: 'user', id: 'ada' };

export interface LockedFile {
  id: string;
  ownerType: string | null;
  ownerId: string | null;
  pinned: boolean | number;
}

/** The check that everybody makes under the lock. */
export function assertAttachable(files: readonly LockedFile[], ids: readonly string[]): void {
  if (files.length !== ids.length) throw new Error('A file is missing');
  for (const { id, ownerType, ownerId, pinned } of files) {
    if (ownerType !== ADA.type || ownerId !== ADA.id) throw new Error(`Is not an owner of ${id}`);
    if (pinned) throw new Error(`${id} is pinned`);
  }
}
