import {
  ChildEntity,
  Column,
  DeleteDateColumn,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
  UpdateDateColumn,
} from 'typeorm';
import type { Relation } from 'typeorm';
import { FileField, OwnsFiles } from '../../lib/index.js';

export class Papers {
  @FileField() @Column('varchar', { length: 36, nullable: true }) contractId!: string | null;
  @FileField() @Column('json', { nullable: true }) copyIds!: string[] | null;
}

/** Fields in an embedded object, under another name of the column. */
@Entity('the_dossiers')
@OwnsFiles('dossier')
export class Dossier {
  @PrimaryColumn('bigint', { name: 'dossier_no' }) id!: string;
  @Column(() => Papers, { prefix: 'own_' }) papers!: Papers;
}

/** Two kinds of rows in one table, which own as two types. */
@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'kind' } })
@OwnsFiles('medium')
export class Medium {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @FileField() @Column('uuid', { nullable: true }) coverId!: string | null;
}

@ChildEntity()
export class Film extends Medium {
  @FileField() @Column('uuid', { nullable: true }) trailerId!: string | null;
}

@ChildEntity()
@OwnsFiles('photo')
export class Photo extends Medium {
  @FileField() @Column('uuid', { nullable: true }) negativeId!: string | null;
}

@Entity()
@OwnsFiles('shelf')
export class Shelf {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
  @DeleteDateColumn() deletedAt!: Date | null;
}

/** Owned by its parent, with a key of two columns and a list. */
@Entity()
@OwnsFiles('shelf', { idField: 'shelfId' })
export class Slot {
  @PrimaryColumn('varchar', { length: 40 }) shelfId!: string;
  @PrimaryColumn('int') place!: number;
  @ManyToOne(() => Shelf) @JoinColumn({ name: 'shelfId' }) shelf!: Relation<Shelf>;
  @FileField({ onReplace: 'release' }) @Column('simple-array', { nullable: true }) bookIds!: string[] | null;
}

/** May be on no shelf, and then has no owner. */
@Entity()
@OwnsFiles('shelf', { idField: 'shelfId' })
export class Leaflet {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { length: 40, nullable: true }) shelfId!: string | null;
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) coverId!: string | null;
}

/** An owner without a declared field. */
@Entity()
@OwnsFiles('loan')
export class Loan {
  @PrimaryGeneratedColumn() id!: number;
  @DeleteDateColumn() deletedAt!: Date | null;
}

/** Its id goes through a transformer, and it says when it was changed. */
@Entity()
@OwnsFiles('stamp')
export class Stamp {
  @PrimaryColumn('varchar', {
    length: 40,
    transformer: { to: (id: string) => `#${id}`, from: (id: string) => id.slice(1) },
  })
  id!: string;
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) imageId!: string | null;
  @UpdateDateColumn() changedAt!: Date;
}

export const AUDITED = [Dossier, Medium, Film, Photo, Shelf, Slot, Leaflet, Loan, Stamp];
