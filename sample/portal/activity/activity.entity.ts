import { Column, CreateDateColumn, Entity, PrimaryGeneratedColumn } from 'typeorm';

/** Something that was done with a package. */
@Entity()
export class Activity {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column('varchar', { length: 50 })
  action!: string;

  @Column('uuid')
  packageId!: string;

  @Column('varchar', { length: 200 })
  packageTitle!: string;

  @Column('varchar', { length: 100 })
  userName!: string;

  @CreateDateColumn()
  at!: Date;
}
