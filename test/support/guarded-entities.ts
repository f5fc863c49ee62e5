import { randomUUID } from 'node:crypto';
import {
  Column,
  DeleteDateColumn,
  Entity,
  JoinColumn,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  VersionColumn,
} from 'typeorm';
import type { Relation } from 'typeorm';
import { FileField, ManagedFile, OwnsFiles } from '../../lib/index.js';

/** One file, one that is released when it is replaced, and a list. */
@Entity()
@OwnsFiles('ticket', { onDelete: 'delete' })
export class Ticket {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar', { default: '' }) title!: string;
  @FileField({ onReplace: 'delete' }) @Column('uuid', { nullable: true }) attachmentId!: string | null;
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) coverId!: string | null;
  @FileField({ onReplace: 'delete' }) @Column('simple-json', { nullable: true }) imageIds!: string[] | null;
  @VersionColumn() version!: number;
  @DeleteDateColumn() deletedAt!: Date | null;
}

/** Files stay with it; the owner of a track's file is the track. */
@Entity()
@OwnsFiles('album')
export class Album {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @Column('uuid', { nullable: true }) coverId!: string | null;
  @OneToMany(() => Track, (track) => track.album, { cascade: true }) tracks!: Relation<Track>[];
}

@Entity()
@OwnsFiles('track', { onDelete: 'delete' })
export class Track {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { default: '' }) name!: string;
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) fileId!: string | null;
  @ManyToOne(() => Album, (album) => album.tracks, { orphanedRowAction: 'delete', nullable: true })
  album!: Relation<Album> | null;
}

/** Its owner id is a number that people give and change. */
@Entity()
@OwnsFiles('clause', { idField: 'number' })
export class Clause {
  @PrimaryGeneratedColumn() key!: number;
  @Column('int', { unique: true }) number!: number;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

/** Its owner id is a text that people give, and that may be given again. */
@Entity()
@OwnsFiles('room')
export class Room {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
  @FileField() @Column('uuid', { nullable: true }) planId!: string | null;
}

@Entity()
@OwnsFiles('binder', { onDelete: 'restrict' })
export class Binder {
  @PrimaryColumn('uuid') id: string = randomUUID();
  @FileField() @Column('uuid', { nullable: true }) labelId!: string | null;
  @OneToMany(() => Page, (page) => page.binder) pages!: Relation<Page>[];
}

/** What its files belong to is the binder that it is in. */
@Entity()
@OwnsFiles('binder', { idField: 'binderId' })
export class Page {
  @PrimaryGeneratedColumn() id!: number;
  @Column('uuid') binderId!: string;
  @ManyToOne(() => Binder, (binder) => binder.pages) @JoinColumn({ name: 'binderId' }) binder!: Relation<Binder>;
  @FileField({ onReplace: 'delete' }) @Column('uuid', { nullable: true }) scanId!: string | null;
}

/** A column beside the relation that it joins. */
@Entity()
@OwnsFiles('letter')
export class Letter {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { default: '' }) subject!: string;
  @FileField() @Column('uuid', { nullable: true }) attachmentId!: string | null;
  @ManyToOne(() => ManagedFile, { nullable: true })
  @JoinColumn({ name: 'attachmentId' })
  attachment!: Relation<ManagedFile> | null;
}

/** Trusted outside of units of work. */
@Entity()
@OwnsFiles('sketch', { guard: 'units' })
export class Sketch {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

export const GUARDED = [Ticket, Album, Track, Clause, Room, Binder, Page, Letter, Sketch];
