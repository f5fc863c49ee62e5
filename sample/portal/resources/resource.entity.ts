import { FileField, OwnsFiles } from 'nestjs-files';
import { Column, Entity, ManyToOne, PrimaryGeneratedColumn, Unique } from 'typeorm';
import type { Relation } from 'typeorm';
import type { Package } from '../packages/package.entity.js';

/** A part of a package: a file with a name. */
@Entity()
@OwnsFiles('resource')
@Unique(['packageId', 'name'])
export class Resource {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column('varchar', { length: 100 })
  name!: string;

  @FileField()
  @Column('uuid')
  fileId!: string;

  @Column('uuid')
  packageId!: string;

  // By its name, because the two classes know each other.
  @ManyToOne<Package>('Package', 'resources', { onDelete: 'CASCADE', orphanedRowAction: 'delete' })
  package?: Relation<Package>;
}
