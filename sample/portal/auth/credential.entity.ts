import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A user's password, hashed. Apart from the user, so that nobody shows it by accident. */
@Entity()
export class Credential {
  @PrimaryColumn('uuid')
  userId!: string;

  @Column('varchar')
  passwordHash!: string;
}
