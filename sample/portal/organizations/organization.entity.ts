import { FileField, OwnsFiles } from 'nestjs-files';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

/** Who publishes data. */
@Entity()
@OwnsFiles('organization')
export class Organization {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column('varchar', { length: 100, unique: true })
  name!: string;

  @Column('varchar', { length: 200 })
  title!: string;

  @FileField()
  @Column('uuid', { nullable: true })
  imageId!: string | null;

  @Column('uuid')
  creatorId!: string;
}
