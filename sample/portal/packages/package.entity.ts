import { FileField, OwnsFiles } from 'nestjs-files';
import { Column, Entity, OneToMany, PrimaryGeneratedColumn } from 'typeorm';
import type { Relation } from 'typeorm';
import { Resource } from '../resources/resource.entity.js';

export type Visibility = 'public' | 'private';

/** A data set: a description, an attachment, and resources, each with a file. A private one is its creator's only. */
@Entity()
@OwnsFiles('package')
export class Package {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column('varchar', { length: 100, unique: true })
  name!: string;

  @Column('varchar', { length: 200 })
  title!: string;

  @Column('varchar', { length: 10, default: 'private' })
  visibility!: Visibility;

  @FileField()
  @Column('uuid', { nullable: true })
  attachmentId!: string | null;

  @Column('uuid')
  creatorId!: string;

  @OneToMany(() => Resource, (resource) => resource.package, { cascade: true })
  resources!: Relation<Resource>[];

  isVisibleTo(userId: string | undefined): boolean {
    return this.visibility === 'public' || this.creatorId === userId;
  }
}
