import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Who holds the token is this user, for a while. The token itself is not stored. */
@Entity()
export class Session {
  @PrimaryColumn('varchar', { length: 64 })
  tokenHash!: string;

  @Column('uuid')
  userId!: string;

  @Column({ type: Date })
  expiresAt!: Date;
}
