import { randomUUID } from 'node:crypto';
import {
  ChildEntity,
  Column,
  DataSource,
  DefaultNamingStrategy,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
} from 'typeorm';
import type { QueryRunner, Relation } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileField, ManagedFile, OwnsFiles } from '../../../lib/index.js';
import { FILES_ENTITIES } from '../../../lib/entry/entities.js';
import { createGuards } from '../../../lib/entry/migrations.js';
import { IN_MEMORY, reachableDatabases } from '../../support/databases.js';
import type { OpenDatabase } from '../../support/databases.js';
import { RawSession } from '../../support/raw-session.js';

const JSON_TEXT = {
  to: (value: unknown) => JSON.stringify(value),
  from: (text: string) => JSON.parse(text) as unknown,
};
const SET = {
  to: (value: Set<string>) => [...value].join(','),
  from: (text: string | null) => new Set(text?.split(',') ?? []),
};
const UPPER = { to: (id: string) => id.toUpperCase(), from: (id: string) => id.toUpperCase() };
const PREFIXED = { to: (id: string) => `file:${id}`, from: (text: string) => text.replace('file:', '') };

class Cover {
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

@Entity()
@OwnsFiles('shelf')
class Shelf {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @FileField() @Column('uuid', { nullable: true }) uuid!: string | null;
  @FileField() @Column('varchar', { nullable: true }) varchar!: string | null;
  @FileField() @Column('char', { length: 36, nullable: true }) char!: string | null;
  @FileField() @Column('text', { nullable: true }) text!: string | null;
  @FileField() @Column('uuid', { array: true, nullable: true }) uuids!: string[] | null;
  @FileField() @Column('varchar', { array: true, default: [] }) varchars!: string[];
  @FileField() @Column('json', { nullable: true }) json!: unknown;
  @FileField() @Column('jsonb', { default: [] }) jsonb!: unknown;
  @FileField() @Column('simple-json', { default: '[]' }) simpleJson!: unknown;
  @FileField() @Column('simple-array', { nullable: true }) simpleArray!: string[] | null;
  @FileField() @Column('text', { nullable: true, transformer: JSON_TEXT }) jsonText!: unknown;
  @FileField() @Column('varchar', { nullable: true, transformer: SET }) commas!: Set<string>;
  @FileField() @Column('varchar', { nullable: true, transformer: UPPER }) upper!: string | null;
  @Column(() => Cover) cover!: Cover;
  @FileField() @ManyToOne(() => ManagedFile) @JoinColumn({ name: 'joined_file' }) joined!: Relation<ManagedFile> | null;
}

const one = (id: string): string => `'${id}'`;
const array = (...ids: string[]): string => `'{${ids.join(',')}}'`;
const json = (...ids: unknown[]): string => `'${JSON.stringify(ids)}'`;
type Write = (id: string, other: string) => string;

/** How a column names a file, beside another one where it can hold two. */
const COLUMNS: [column: string, write: Write, nothing: string, junk?: string][] = [
  ['uuid', one, 'NULL'],
  ['varchar', one, `''`, `'nonsense'`],
  ['varchar', (id) => one(id.toUpperCase()), 'NULL'],
  ['char', one, 'NULL', `'nonsense'`],
  ['text', one, 'NULL', `'nonsense'`],
  ['uuids', array, `'{}'`],
  ['varchars', array, `'{}'`, `'{nonsense}'`],
  ['json', json, `'null'`, `'["nonsense"]'`],
  ['json', (id) => `'${JSON.stringify(id)}'`, `'""'`, `'17'`],
  ['json', (id) => `'{"id":"${id}","alt":"x"}'`, `'{}'`, `'{"file":"x"}'`],
  ['json', (id) => `'["${id.replace('-', '\\u002d')}"]'`, `'[]'`, `'[1]'`],
  ['jsonb', json, `'[]'`, `'true'`],
  ['jsonb', (id, other) => json({ id }, { id: other }, null, 5), `'{}'`, `'[{}]'`],
  ['simpleJson', json, `'[]'`, `'[1]'`],
  ['simpleJson', json, `''`, `'not json'`],
  ['simpleArray', (id, other) => one(`${other},${id}`), `''`, `'a,b'`],
  ['jsonText', json, `'[]'`, `'nonsense'`],
  ['commas', (id, other) => one(`${id},${other}`), `''`, `'a,b'`],
  ['upper', (id) => one(id.toUpperCase()), 'NULL', `'nonsense'`],
  ['coverFileid', one, 'NULL'],
  ['joined_file', one, 'NULL'],
];

@Entity()
@OwnsFiles('page', { idField: 'code' })
class BookPage {
  @PrimaryColumn('int') book!: number;
  @PrimaryColumn('varchar', { length: 20 }) section!: string;
  @Column('bigint', { unique: true, transformer: { to: String, from: Number } }) code!: number;
  @FileField() @Column('jsonb', { default: [] }) imageIds!: string[];
}

@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'kind' } })
@OwnsFiles("author's medium")
class Medium {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @FileField() @Column('uuid', { nullable: true }) previewId!: string | null;
}

@ChildEntity('film')
@OwnsFiles('film', { idField: 'number' })
class Film extends Medium {
  @Column('int', { nullable: true }) number!: number;
  @FileField() @Column('uuid', { nullable: true }) reelId!: string | null;
}

@ChildEntity('song')
@OwnsFiles('song')
class Song extends Medium {
  @FileField() @Column('uuid', { nullable: true }) trackId!: string | null;
}

@Entity()
@OwnsFiles('poster')
class Poster {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @Column('varchar', { transformer: PREFIXED }) fileId!: string;
}

@Entity()
@OwnsFiles('stamp')
class Stamp {
  @PrimaryColumn('int', { transformer: { to: (id: string) => Number(id.slice(1)), from: (id: number) => `#${id}` } })
  id!: string;
  @FileField() @Column('uuid') fileId!: string;
}

@Entity()
class Plain {
  @PrimaryGeneratedColumn() id!: number;
}

class SnakeNaming extends DefaultNamingStrategy {
  override tableName(target: string, given?: string): string {
    return `t_${given ?? target.toLowerCase()}`;
  }
  override columnName(property: string, given: string | undefined, prefixes: string[]): string {
    return [...prefixes, given ?? property]
      .join('_')
      .replaceAll(/([A-Z])/g, '_$1')
      .toLowerCase();
  }
}

const [postgres] = await reachableDatabases('postgres');
const entities = [...FILES_ENTITIES, Shelf, BookPage, Medium, Film, Song, Poster, Stamp, Plain];

async function withRunner(dataSource: DataSource, work: (runner: QueryRunner) => Promise<void>): Promise<void> {
  const runner = dataSource.createQueryRunner();
  try {
    await work(runner);
  } finally {
    await runner.release();
  }
}

describe.skipIf(!postgres)('guards in the database', () => {
  let database: OpenDatabase;
  let session: RawSession;
  beforeAll(async () => {
    database = await postgres!.open({ entities });
    session = await RawSession.open(database.dataSource.options);
    await withRunner(database.dataSource, (runner) => createGuards(runner, [Shelf, BookPage, Film]));
  });
  afterAll(async () => {
    await session.close();
    await database.close();
  });

  const foreign = { constraint: 'files_not_own' };
  const used = { constraint: 'files_in_use' };
  // A foreign key has its say first.
  const missing = { code: '23503' };
  const remove = (id: string) => session.query('DELETE FROM files_file WHERE id = $1', [id]);

  it.each(COLUMNS)('know the files in a column %s, %s', async (column, write, nothing, junk) => {
    const id = randomUUID();
    const [own, other, alien] = [
      await session.file('shelf', id),
      await session.file('shelf', id),
      await session.file('user', 'bob'),
    ];
    const isJoined = column === 'joined_file';
    const set = (value: string) => session.query(`UPDATE shelf SET "${column}" = ${value} WHERE id = $1`, [id]);
    const insert = (value: string) => session.query(`INSERT INTO shelf (id, "${column}") VALUES ($1, ${value})`, [id]);

    await expect(insert(write(alien, other))).rejects.toMatchObject(foreign);
    if (junk !== undefined) await expect(insert(junk)).rejects.toMatchObject(foreign);
    await insert(nothing);
    await expect(set(write(alien, other))).rejects.toMatchObject(foreign);
    await expect(set(write(randomUUID(), other))).rejects.toMatchObject(isJoined ? missing : foreign);
    if (junk !== undefined) await expect(set(junk)).rejects.toMatchObject(foreign);
    await set(write(own, other));
    await expect(remove(own)).rejects.toMatchObject(isJoined ? missing : used);
    await expect(
      session.query('UPDATE files_file SET owner_id = $2 WHERE id = $1', [own, id.slice(1)]),
    ).rejects.toMatchObject(used);
    await set(nothing);
    await remove(own);
  });

  it('check only the files that a list did not name before', async () => {
    const id = randomUUID();
    const files = [await session.file('shelf', id), await session.file('shelf', id), await session.file('shelf', id)];
    await session.query('INSERT INTO shelf (id, uuids) VALUES ($1, $2)', [id, files.slice(0, 2)]);
    const versions = () =>
      session.query('SELECT xmin FROM files_file WHERE id = ANY ($1) ORDER BY id', [files.slice(0, 2)]);
    const before = await versions();
    await session.query('UPDATE shelf SET uuids = $2 WHERE id = $1', [id, files]);
    expect(await versions()).toEqual(before);
  });

  it('find a row by a composite key, and its owner by another column', async () => {
    const own = await session.file('page', 7_000_000_000_000);
    const insert = 'INSERT INTO book_page (book, section, code, "imageIds") VALUES (1, $1, $2, $3)';
    await session.query(insert, ['a', 7_000_000_000_000, JSON.stringify([own])]);
    await expect(session.query(insert, ['b', 8, JSON.stringify([own])])).rejects.toMatchObject(foreign);
    await expect(remove(own)).rejects.toMatchObject(used);
    await session.query(`UPDATE book_page SET section = 'c'`);
    await session.query(`DELETE FROM book_page`);
    await remove(own);
  });

  it('tell the classes of one table apart', async () => {
    const id = randomUUID();
    const [asMedium, asFilm, asSong] = [
      await session.file("author's medium", id),
      await session.file('film', 12),
      await session.file('song', id),
    ];
    const insert = (kind: string, column: string, fileId: string) =>
      session.query(`INSERT INTO medium (id, kind, number, "${column}") VALUES ($1, $2, 12, $3)`, [id, kind, fileId]);
    for (const [kind, column, right, wrong] of [
      ['Medium', 'previewId', asMedium, asFilm],
      ['film', 'previewId', asFilm, asSong],
    ] as const) {
      await expect(insert(kind, column, wrong)).rejects.toMatchObject(foreign);
      await insert(kind, column, right);
      await expect(remove(right)).rejects.toMatchObject(used);
      await expect(session.query(`UPDATE medium SET kind = 'song'`)).rejects.toMatchObject(foreign);
      await session.query('DELETE FROM medium');
    }
    for (const [kind, column, right, meaningless] of [
      ['film', 'reelId', asFilm, 'trackId'],
      ['song', 'trackId', asSong, 'reelId'],
    ] as const) {
      await expect(insert(kind, column, asMedium)).rejects.toMatchObject(foreign);
      await insert(kind, column, right);
      await session.query('DELETE FROM medium');
      await insert(kind, meaningless, asMedium);
      await session.query('DELETE FROM medium');
    }
  });

  it('work on tables with names of another strategy, prefix and schema', async () => {
    await session.query('CREATE SCHEMA "Other"');
    const dataSource = new DataSource({
      ...database.dataSource.options,
      entities: [...FILES_ENTITIES, Shelf, BookPage],
      namingStrategy: new SnakeNaming(),
      entityPrefix: 'app_',
      schema: 'Other',
      synchronize: true,
    } as never);
    await dataSource.initialize();
    try {
      await withRunner(dataSource, (runner) => createGuards(runner, [Shelf]));
      const { tablePath, columns } = dataSource.getMetadata(Shelf);
      const table = tablePath.replace('Other', '"Other"');
      const files = dataSource.getMetadata(ManagedFile).tablePath.replace('Other', '"Other"');
      expect(columns.map(({ databaseName }) => databaseName)).toContain('simple_json');
      const id = randomUUID();
      const [own, alien] = [await session.file('shelf', id, files), await session.file('user', 'bob', files)];
      const insert = (fileId: string) =>
        session.query(`INSERT INTO ${table} (id, simple_json) VALUES ($1, $2)`, [id, JSON.stringify([fileId])]);
      await expect(insert(alien)).rejects.toMatchObject({ ...foreign, schema: 'Other' });
      await insert(own);
      await expect(session.query(`DELETE FROM ${files} WHERE id = $1`, [own])).rejects.toMatchObject(used);
      const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
      expect(upQueries).toEqual([]);
    } finally {
      await dataSource.destroy();
    }
  });

  it('cover an added column once a migration has made them again', async () => {
    await withRunner(database.dataSource, async (runner) => {
      const id = randomUUID();
      await session.query('ALTER TABLE shelf RENAME uuid TO hidden');
      await createGuards(runner, [Shelf]);
      const alien = await session.file('user', 'bob');
      await expect(session.query('INSERT INTO shelf (id, text) VALUES ($1, $2)', [id, alien])).rejects.toMatchObject(
        foreign,
      );
      await session.query('ALTER TABLE shelf RENAME hidden TO uuid');
      await createGuards(runner, [Shelf]);
      await expect(session.query('INSERT INTO shelf (id, uuid) VALUES ($1, $2)', [id, alien])).rejects.toMatchObject(
        foreign,
      );
    });
  });

  it('are refused where only the application can read what is stored', async () => {
    await withRunner(database.dataSource, async (runner) => {
      await expect(createGuards(runner, [Poster])).rejects.toThrow(
        'Poster: the transformer of fileId stores ids in a form',
      );
      await expect(createGuards(runner, [Stamp])).rejects.toThrow('Stamp: the transformer of id stores the owner id');
      await expect(createGuards(runner, [Plain])).rejects.toThrow('Plain: it has no column with @FileField()');
      await session.query('ALTER TABLE shelf RENAME TO elsewhere');
      await expect(createGuards(runner, [Shelf])).rejects.toThrow('Shelf: its table shelf is not there');
      await session.query('ALTER TABLE elsewhere RENAME TO shelf');
    });
  });

  it('are refused on another database, unless the migration says that it is for several', async () => {
    const dataSource = await new DataSource({ ...IN_MEMORY, entities: [...FILES_ENTITIES, Plain] }).initialize();
    await withRunner(dataSource, async (runner) => {
      await expect(createGuards(runner, [Plain])).rejects.toThrow('only PostgreSQL');
      await createGuards(runner, [Plain], { otherDatabases: 'skip' });
    });
    await dataSource.destroy();
  });
});
