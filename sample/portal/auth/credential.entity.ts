import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A user's password, hashed. Kept apart from the user, so that it is not shown by accident. */
@Entity()
export class Credential {
  @PrimaryColumn('uuid')
  userId!: string;

  @Column('varchar')
  passwordHash!: string;
}
