import { Body, Controller, Param, Patch, ValidationPipe } from '@nestjs/common';
import { Column, DataSource, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import type { Repository } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileField, OwnsFiles, TransferOwnership, WithTaskQueue } from '../../../lib/index.js';
import { FilesInUseError, FilesNotOwnError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';

class Named {
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}
@Entity()
@OwnsFiles('note')
class Note extends Named {
  @PrimaryGeneratedColumn('uuid') id!: string;
}
@Entity()
@OwnsFiles('memo')
class Memo extends Named {
  @PrimaryGeneratedColumn() id!: number;
}
@Entity()
@OwnsFiles('long')
class Long extends Named {
  @PrimaryColumn('bigint') id!: string;
}
@Entity()
@OwnsFiles('price')
class Price extends Named {
  @PrimaryColumn('decimal', { precision: 10, scale: 2 }) id!: string;
}
@Entity()
@OwnsFiles('name')
class Name extends Named {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
}

class NoteDto {
  @TransferOwnership('note') fileId!: string;
}
class MemoDto {
  @TransferOwnership('memo') fileId!: string;
}

@Controller()
class Spelled {
  constructor(private readonly dataSource: DataSource) {}

  @Patch('notes/:id') @WithTaskQueue() async note(@Param('id') id: string, @Body() { fileId }: NoteDto) {
    await this.dataSource.getRepository(Note).update(id, { fileId });
    return {};
  }

  @Patch('memos/:id') @WithTaskQueue() async memo(@Param('id') id: string, @Body() { fileId }: MemoDto) {
    await this.dataSource.getRepository(Memo).update(id, { fileId });
    return {};
  }
}

type Row = Named & { id: string | number };
/** Spellings of `#`, an id as the database gives it back. */
const SPELLINGS: [string, string, new () => Row, (id: string) => unknown][] = [
  ['note', 'a uuid without dashes', Note, (id) => id.replaceAll('-', '')],
  ['note', 'a uuid in capitals', Note, (id) => id.toUpperCase()],
  ['note', 'a uuid in braces', Note, (id) => `{${id}}`],
  ['memo', 'a number with a sign', Memo, (id) => `+${id}`],
  ['memo', 'a number after a space', Memo, (id) => ` ${id}`],
  ['memo', 'a number before a space', Memo, (id) => `${id} `],
  ['memo', 'a number with a fraction', Memo, (id) => `${id}.0`],
  ['memo', 'a number with an exponent', Memo, (id) => `${id}e0`],
  ['memo', 'a number with zeros before it', Memo, (id) => `00${id}`],
  ['long', 'a long number with a sign', Long, (id) => `+${id}`],
  ['price', 'a decimal without its fraction', Price, (id) => Number(id)],
  ['name', 'a text in capitals', Name, (id) => id.toUpperCase()],
  ['name', 'a text before a space', Name, (id) => `${id} `],
];
const GIVEN = new Map<unknown, string>([
  [Long, '12345678901234'],
  [Price, '12.00'],
  [Name, 'first'],
]);

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))(
  'Ids spelled otherwise on $name',
  (database) => {
    let app: GuardedApp;
    beforeAll(async () => {
      app = await guardedApp({
        database,
        entities: [Note, Memo, Long, Price, Name],
        controllers: [Spelled],
        prepare: (nest) => void nest.useGlobalPipes(new ValidationPipe()),
      });
      for (const [entity, id] of GIVEN) await app.dataSource.getRepository(entity as typeof Name).insert({ id });
    });
    afterAll(() => app.close());

    const rowsOf = (entity: new () => Row): Repository<Row> => app.dataSource.getRepository(entity);
    /** The id of a row as the database gives it back. */
    const idOf = async (entity: new () => Row): Promise<string | number> => {
      const rows = rowsOf(entity);
      if (GIVEN.has(entity)) return (await rows.find())[0]!.id;
      return (await rows.save({} as Row)).id;
    };

    it.each(SPELLINGS)("let no %s name somebody else's file: %s", async (_, __, entity, spell) => {
      const foreign = await app.upload('bob');
      const id = await idOf(entity);
      const spelled = spell(String(id)) as string;
      // One that the database does not take for the same writes nothing, or is an error of it.
      await rowsOf(entity)
        .update({ id: spelled }, { fileId: foreign })
        .catch(() => undefined);
      expect(await rowsOf(entity).findOneByOrFail({ id })).toMatchObject({ fileId: null });
      expect(await app.ownerOf(foreign)).toBe('user bob');
    });

    it.each(SPELLINGS)('let a %s have its own file, which is in use then: %s', async (type, _, entity, spell) => {
      const id = await idOf(entity);
      const own = await app.fileOf(type, id);
      const spelled = spell(String(id)) as string;
      const affected = await rowsOf(entity)
        .update({ id: spelled }, { fileId: own })
        .then(
          (result) => result.affected,
          () => 0,
        );
      const row = await rowsOf(entity).findOneByOrFail({ id });
      expect(row.fileId).toBe(affected === 1 ? own : null);
      expect(await app.ownerOf(own)).toBe(`${type} ${id}*`);
      if (affected === 1) await expect(app.files.delete(own, { force: true })).rejects.toBeInstanceOf(FilesInUseError);
      await rowsOf(entity).update({ id }, { fileId: null });
    });

    it.each([
      ['notes', 'note', Note, (id: string) => id.replaceAll('-', '')],
      ['memos', 'memo', Memo, (id: string) => `+${id}`],
    ] as const)('give the file to the row that a path of %s means', async (path, type, entity, spell) => {
      const file = await app.upload();
      const id = await idOf(entity);
      const { status } = await app.send('PATCH', `/${path}/${encodeURIComponent(spell(String(id)))}`, { fileId: file });
      const row = await rowsOf(entity).findOneByOrFail({ id });
      // SQLite keeps uuids as texts: no row is meant.
      const isMeant = !(database.kind === 'memory' && type === 'note');
      const changed = isMeant ? [200, file, `${type} ${id}*`] : [422, null, 'user ada'];
      expect([status, row.fileId, await app.ownerOf(file)]).toEqual(changed);
    });

    it.each([
      ['note', Note, '0f4a99dd1054432ebad0d3972b3e4afc'],
      ['long', Long, '+77'],
      ['price', Price, '77'],
      ['name', Name, 77],
    ] as const)("insert no %s with somebody else's file", async (_, entity, id) => {
      const foreign = await app.upload('bob');
      await expect(rowsOf(entity).insert({ id, fileId: foreign })).rejects.toBeInstanceOf(FilesNotOwnError);
      expect(await rowsOf(entity).findOneBy({ fileId: foreign })).toBeNull();
    });
  },
);
