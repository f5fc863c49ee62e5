import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileField, OwnsFiles } from '../../../lib/index.js';
import { FilesNotOwnError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';

@Entity()
@OwnsFiles('binding')
class Binding {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @Column('simple-array', { nullable: true }) texts!: unknown;
  @FileField() @Column('simple-json', { nullable: true }) json!: unknown;
  @FileField()
  @Column('text', {
    nullable: true,
    transformer: {
      to: (value: unknown) => (value === undefined ? undefined : JSON.stringify(value)),
      from: (value: string | null) => (value === null ? null : (JSON.parse(value) as unknown)),
    },
  })
  made!: unknown;
}

const SHAPES: [string, (own: string, foreign: string) => unknown][] = [
  ['a list', (own, foreign) => [own, [foreign]]],
  ['a list in a list', (own, foreign) => [own, [[foreign]]]],
  ['a set', (own, foreign) => [own, new Set([foreign])]],
  ['a map', (own, foreign) => [own, new Map([['id', [foreign]]])]],
  ['a boxed text', (own, foreign) => [own, Object(foreign)]],
  ['an object without an id', (own, foreign) => [own, { fileId: foreign }]],
  ['an object whose id is a list', (own, foreign) => [own, { id: [foreign] }]],
  ['a number', (own) => [own, 7]],
  ['a text of two ids', (own, foreign) => [own, `${own},${foreign}`]],
];
const FIELDS = ['texts', 'json', 'made'] as const;

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('A list of files on $name', (database) => {
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({ database, entities: [Binding] });
  });
  afterAll(() => app.close());

  describe.each(FIELDS)('in %s', (field) => {
    it.each(SHAPES)('is refused with %s among its ids', async (_, shape) => {
      const bindings = app.dataSource.getRepository(Binding);
      const { id } = await bindings.save({});
      const own = await app.fileOf('binding', id);
      const value = shape(own, await app.upload('bob'));
      await expect(bindings.update(id, { [field]: value })).rejects.toBeInstanceOf(FilesNotOwnError);
      await expect(bindings.insert({ [field]: value })).rejects.toBeInstanceOf(FilesNotOwnError);
      expect(await bindings.findOneByOrFail({ id })).toMatchObject({ [field]: null });
    });

    // TypeORM itself makes texts of the items of a simple-array.
    it.skipIf(field === 'texts')('is refused with an object that cannot be made a text among its ids', async () => {
      const bindings = app.dataSource.getRepository(Binding);
      const { id } = await bindings.save({});
      const value = [await app.fileOf('binding', id), { toString: 1 }];
      await expect(bindings.update(id, { [field]: value })).rejects.toBeInstanceOf(FilesNotOwnError);
    });

    it('is saved with related objects and nothing among its ids', async () => {
      const bindings = app.dataSource.getRepository(Binding);
      const { id } = await bindings.save({});
      const own = await app.fileOf('binding', id);
      await bindings.update(id, { [field]: [own, null, { id: own }, ''] });
      expect(await bindings.findOneByOrFail({ id })).toMatchObject({
        [field]: expect.arrayContaining([own]) as unknown,
      });
    });
  });
});
