import { Logger } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { OwnsFiles } from 'nestjs-files';
import {
  ChildEntity,
  Column,
  Entity,
  ManyToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
} from 'typeorm';
import type { Relation } from 'typeorm';
import { afterEach, expect, it, vi } from 'vitest';
import { database, startApp } from '../../support/http-app.js';

@Entity()
class Folder {
  @PrimaryGeneratedColumn() id!: number;
}

@Entity()
@OwnsFiles('page', { onDelete: 'delete' })
class Page {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Folder, { onDelete: 'CASCADE' }) folder!: Relation<Folder>;
  @ManyToOne(() => Folder, { onDelete: 'SET NULL', nullable: true }) archive!: Relation<Folder> | null;
}

@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'kind' } })
class Item {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Folder, { onDelete: 'CASCADE' }) folder!: Relation<Folder>;
}

@ChildEntity()
@OwnsFiles('picture', { onDelete: 'restrict' })
class Picture extends Item {}

@Entity()
@OwnsFiles('sheet')
class Sheet {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Folder, { onDelete: 'CASCADE' }) folder!: Relation<Folder>;
}

@Entity()
class Plain {
  @PrimaryColumn('varchar') id!: string;
  @Column('varchar', { nullable: true }) fileId!: string | null;
}

const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
afterEach(() => warn.mockClear());
const warnings = () => warn.mock.calls.map(([message]) => String(message));

it('warns of owners whose rows the database removes by a cascade', async () => {
  await startApp({ imports: [TypeOrmModule.forFeature([Folder, Page, Item, Picture, Sheet])] });
  expect(warnings()).toEqual([
    'Files of type "page" can be left behind: with `onDelete: \'CASCADE\'` on Page.folder the database removes Page rows without ' +
      "TypeORM, so `onDelete: 'delete'` is not applied. Remove the CASCADE and remove the Page entities with `cascade: ['remove']` " +
      'or before the Folder.',
    'Files of type "picture" can be left behind: with `onDelete: \'CASCADE\'` on Picture.folder the database removes Picture rows without ' +
      "TypeORM, so `onDelete: 'restrict'` is not applied. Remove the CASCADE and remove the Picture entities with `cascade: ['remove']` " +
      'or before the Folder.',
  ]);
});

// Nest remembers which entities each name of a data source has, for as long as the process lives.
it.each([
  [
    'a record, where it has only files',
    [],
    Plain,
    'Plain is saved in the data source "records1", and files in "files1"',
  ],
  [
    'an owner, where it has records too',
    [Plain],
    Page,
    'Page is saved in the data source "records2", and files in "files2"',
  ],
])('tells of a second data source with %s', async (_, own, entity, told) => {
  const at = /\d/.exec(told)![0];
  await startApp({
    options: { dataSource: `files${at}` },
    imports: [
      database(`records${at}`),
      TypeOrmModule.forFeature([Folder, entity], `records${at}`),
      TypeOrmModule.forFeature(own, `files${at}`),
    ],
  });
  expect(warnings()).toEqual([expect.stringContaining(told.replace('Plain is', 'Folder, Plain are'))]);
});

it('says nothing where a second data source has other things', async () => {
  await startApp({
    options: { dataSource: 'files3' },
    imports: [
      database('others'),
      TypeOrmModule.forFeature([Folder], 'others'),
      TypeOrmModule.forFeature([Plain], 'files3'),
    ],
  });
  expect(warnings()).toEqual([]);
});
