import { Column, Entity, PrimaryColumn } from 'typeorm';
import { FileField, OwnsFiles } from '../../lib/index.js';

/** The table of the other questions, with fields that name files. */
@Entity('package')
@OwnsFiles('package')
export class GuardedPackage {
  @PrimaryColumn('integer') id!: number;
  @Column('varchar', { length: 200 }) title!: string;
  @FileField() @Column('varchar', { length: 36, nullable: true }) attachmentId!: string | null;
  @FileField() @Column('json', { nullable: true }) fileIds!: string[] | null;
}
