import {
  Column,
  DeleteDateColumn,
  Entity,
  Generated,
  JoinColumn,
  ManyToOne,
  OneToMany,
  OneToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
} from 'typeorm';
import type { Relation } from 'typeorm';
import { ManagedFile } from '../../lib/files/managed-file.entity.js';
import { OwnsFiles } from '../../lib/ownership/owns-files.decorator.js';

/** Keeps its files; a shelf that is taken out of it goes. */
@Entity()
@OwnsFiles('room')
export class Room {
  @PrimaryGeneratedColumn() id!: number;
  @OneToMany(() => Shelf, (shelf) => shelf.room, { cascade: true }) shelves!: Relation<Shelf>[];
}

@Entity()
@OwnsFiles('shelf', { onDelete: 'delete' })
export class Shelf {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Room, (room) => room.shelves, { orphanedRowAction: 'delete' }) room!: Relation<Room> | null;
  @OneToOne(() => ManagedFile) @JoinColumn() picture!: Relation<ManagedFile> | null;
  @DeleteDateColumn() deletedAt!: Date | null;
}

@Entity()
@OwnsFiles('loan', { onDelete: 'release' })
export class Loan {
  @PrimaryGeneratedColumn('uuid') id!: string;
}

@Entity()
@OwnsFiles('contract', { onDelete: 'restrict' })
export class Contract {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
  @OneToMany(() => Clause, (clause) => clause.contract) clauses!: Relation<Clause>[];
  @DeleteDateColumn() deletedAt!: Date | null;
}

@Entity()
@OwnsFiles('clause', { onDelete: 'restrict', idField: 'number' })
export class Clause {
  @PrimaryGeneratedColumn() key!: number;
  @Column('bigint') number!: string;
  @ManyToOne(() => Contract, (contract) => contract.clauses, { cascade: ['remove'], orphanedRowAction: 'delete' })
  contract!: Relation<Contract> | null;
}

@Entity()
@OwnsFiles('reading')
export class Reading {
  @PrimaryColumn('decimal', { precision: 6, scale: 2 }) id!: string;
}

@Entity()
@OwnsFiles('seat', { onDelete: 'delete' })
export class Seat {
  @PrimaryColumn('int') line!: number;
  @PrimaryColumn('int') place!: number;
  @Column('uuid') @Generated('uuid') id!: string;
}

export const OWNERS = [Room, Shelf, Loan, Contract, Clause, Reading, Seat];
