import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ManagedFile } from 'nestjs-files';
import { Repository } from 'typeorm';
import type { ObjectType, SelectQueryBuilder } from 'typeorm';
import { Group } from '../groups/group.entity.js';
import { Organization } from '../organizations/organization.entity.js';
import { Package } from '../packages/package.entity.js';
import { Resource } from '../resources/resource.entity.js';
import type { User } from '../users/user.entity.js';

const ROWS = 50;
const CURSOR = /^(\d{1,15})\.([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/;

/** A page of files. */
export interface FoundFiles {
  count: number;
  files: ManagedFile[];
  next: string | null;
}

/**
 * Finds the files that a user looks after, however many records the user has made: the database knows which they are.
 */
@Injectable()
export class FilesOfUser {
  constructor(@InjectRepository(ManagedFile) private readonly files: Repository<ManagedFile>) {}

  /** The user's own files and those of records that the user has made, the newest first. */
  async find({ id: user }: User, after: string | undefined): Promise<FoundFiles> {
    const query = this.files.createQueryBuilder('file');
    const own = "(file.ownerType = 'user' AND file.ownerId = :user)";
    const made = [
      madeBy(query, 'package', Package),
      madeBy(query, 'group', Group),
      madeBy(query, 'organization', Organization),
      madeBy(query, 'resource', Resource, 'record.package'),
    ];
    // Two names for one value: PostgreSQL gives a parameter one type, and these are a text and a UUID.
    query.where(`(${[own, ...made].join(' OR ')})`, { user, creator: user });
    const count = await query.getCount();
    const [, at, id] = CURSOR.exec(after ?? '') ?? [];
    if (at !== undefined) {
      query.andWhere('(file.createdAt < :at OR (file.createdAt = :at AND file.id < :id))', { at: Number(at), id });
    }
    const found = await query
      .orderBy('file.createdAt', 'DESC')
      .addOrderBy('file.id', 'DESC')
      .limit(ROWS + 1)
      .getMany();
    const files = found.slice(0, ROWS);
    const last = found.length > ROWS ? files.at(-1) : undefined;
    return { count, files, next: last ? `${last.createdAt.getTime()}.${last.id}` : null };
  }
}

/** The files of records of this type whose creator is `:creator`; those of a part, whose whole the user has made. */
function madeBy(
  query: SelectQueryBuilder<ManagedFile>,
  ownerType: string,
  entity: ObjectType<{ id: string }>,
  whole?: string,
): string {
  // Owners' ids are texts, and ids of records have their own type on PostgreSQL and MariaDB.
  const records = query.subQuery().select('CAST(record.id AS CHAR(36))').from(entity, 'record');
  if (whole) records.innerJoin(whole, 'whole');
  records.where(`${whole ? 'whole' : 'record'}.creatorId = :creator`);
  return `(file.ownerType = '${ownerType}' AND file.ownerId IN ${records.getQuery()})`;
}
