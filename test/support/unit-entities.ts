import {
  BaseEntity,
  Column,
  DeleteDateColumn,
  Entity,
  JoinColumn,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  type Relation,
  Tree,
  TreeChildren,
  TreeParent,
} from 'typeorm';

@Entity('note')
export class Note {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
  @Column('varchar', { length: 40, default: '' }) body!: string;
  @Column('int', { default: 0 }) amount!: number;
  @DeleteDateColumn({ name: 'deleted_at' }) deletedAt!: Date | null;
}

@Entity('person')
export class Person {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
  @OneToMany(() => Pet, (pet) => pet.owner, { cascade: true }) pets!: Relation<Pet>[];
  @ManyToMany(() => Tag, { cascade: true })
  @JoinTable({ name: 'person_tag', joinColumn: { name: 'person_id' }, inverseJoinColumn: { name: 'tag_id' } })
  tags!: Relation<Tag>[];
}

@Entity('pet')
export class Pet {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
  @ManyToOne(() => Person, (person) => person.pets)
  @JoinColumn({ name: 'owner_id' })
  owner!: Relation<Person> | null;
}

@Entity('tag')
export class Tag {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
}

@Entity('album')
export class Album {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
  @OneToMany(() => Song, (song) => song.album, { cascade: true }) songs!: Promise<Song[]>;
}

@Entity('song')
export class Song {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
  @ManyToOne(() => Album, (album) => album.songs)
  @JoinColumn({ name: 'album_id' })
  album!: Promise<Album>;
}

@Entity('folder')
@Tree('materialized-path')
export class Folder {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
  @TreeParent() parent!: Relation<Folder> | null;
  @TreeChildren({ cascade: true }) children!: Relation<Folder>[];
}

@Entity('active_note')
export class ActiveNote extends BaseEntity {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
  @Column('varchar', { length: 40, default: '' }) body!: string;
}

/** What the subscribers in unit-subscribers.ts watch, and what they write. */
@Entity('watched')
export class Watched {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
}

@Entity('audit')
export class Audit {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
}

export const unitEntities = [Note, Person, Pet, Tag, Album, Song, Folder, ActiveNote, Watched, Audit];
