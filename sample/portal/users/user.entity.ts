import { FileField, OwnsFiles } from 'nestjs-files';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

@Entity()
@OwnsFiles('user')
export class User {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column('varchar', { length: 100, unique: true })
  name!: string;

  @Column('varchar', { length: 200 })
  fullName!: string;

  @FileField()
  @Column('uuid', { nullable: true })
  avatarId!: string | null;

  /** Managers may do everything with every file. */
  @Column('boolean', { default: false })
  isManager!: boolean;
}
