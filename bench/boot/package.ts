import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The record, which the library guards where it is there. */
@Entity('package')
export class Package {
  @PrimaryColumn('integer') id!: number;
  @Column('varchar', { length: 200 }) title!: string;
  @Column('varchar', { length: 36, nullable: true }) attachmentId!: string | null;
  @Column('json', { nullable: true }) fileIds!: string[] | null;
}
