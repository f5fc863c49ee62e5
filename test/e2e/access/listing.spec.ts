import { Injectable } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Column, DataSource, Entity, In, PrimaryColumn } from 'typeorm';
import { expect, it } from 'vitest';
import { FilePolicy, FilesAccess, FilesService, OwnerPolicy } from '../../../lib/index.js';
import type { Actor, FileAccessPolicy, FileOwnerPolicy, ManagedFile, OwnerOperation } from '../../../lib/index.js';
import { insertFile } from '../../support/ownership-databases.js';
import { startApp } from '../../support/http-app.js';

@Entity()
class Package {
  @PrimaryColumn('varchar') id!: string;
  @Column('varchar') authorId!: string;
}

@Entity()
class Group {
  @PrimaryColumn('varchar') id!: string;
}

@Injectable()
@OwnerPolicy('package')
class PackageFiles implements FileOwnerPolicy {
  constructor(private readonly dataSource: DataSource) {}

  async allows(operation: OwnerOperation, actor: Actor | null, id: string): Promise<boolean> {
    return (await this.allowsMany(operation, actor, [id])).length > 0;
  }

  async allowsMany(_: OwnerOperation, actor: Actor | null, ids: readonly string[]): Promise<string[]> {
    if (actor === null) return [];
    const found = await this.dataSource.getRepository(Package).findBy({ id: In([...ids]), authorId: actor.id });
    return found.map(({ id }) => id);
  }
}

@Injectable()
@OwnerPolicy('group')
class GroupFiles implements FileOwnerPolicy {
  constructor(private readonly dataSource: DataSource) {}

  allows(): boolean {
    throw new Error('asked one by one');
  }

  async allowsMany(_operation: OwnerOperation, _actor: Actor | null, ids: readonly string[]): Promise<string[]> {
    return (await this.dataSource.getRepository(Group).findBy({ id: In([...ids]) })).map(({ id }) => id);
  }
}

@Injectable()
@FilePolicy()
class Embargo implements FileAccessPolicy {
  constructor(private readonly dataSource: DataSource) {}

  allows(): boolean {
    throw new Error('asked one by one');
  }

  async allowsMany(
    _operation: unknown,
    _actor: Actor | null,
    files: readonly ManagedFile[],
  ): Promise<(false | null)[]> {
    await this.dataSource.query('SELECT 1');
    return files.map(({ name }) => (name === 'secret' ? false : null));
  }
}

it.each([
  { files: 12, owners: 4 },
  { files: 300, owners: 100 },
])('a listing of $files files of $owners owners asks each policy once', async ({ files: count, owners }) => {
  const app = await startApp({
    imports: [TypeOrmModule.forFeature([Package, Group])],
    options: { cascade: { package: true, group: true } },
    providers: [PackageFiles, GroupFiles, Embargo],
  });
  const [files, access] = [app.app.get(FilesService), app.app.get(FilesAccess)];
  for (let index = 0; index < owners; index++) {
    await app.dataSource.getRepository(Package).insert({ id: `${index}`, authorId: index % 2 === 0 ? 'anna' : 'ben' });
  }
  await app.dataSource.getRepository(Group).insert({ id: '1' });
  for (let index = 0; index < count; index++) {
    const ownerType = index % 3 === 0 ? 'group' : 'package';
    const name = index % 5 === 0 ? 'secret' : 'open';
    await insertFile(app.dataSource, { name, ownerType, ownerId: `${index % owners}` });
  }
  const statements: string[] = [];
  const logger = { ...app.dataSource.logger, logQuery: (sql: string) => statements.push(sql) };
  Object.assign(app.dataSource, { logger: Object.setPrototypeOf(logger, app.dataSource.logger as object) });
  const { results } = await files.search({ rows: 1000 });
  const listing = statements.length;
  const allowed = await access.allowed({ type: 'user', id: 'anna' }, 'show', results);
  expect(results).toHaveLength(count);
  expect(statements.length - listing).toBe(3);
  const expected = results.filter(({ name, ownerType, ownerId }) => {
    if (name === 'secret') return false;
    return ownerType === 'group' ? ownerId === '1' : Number(ownerId) % 2 === 0;
  });
  expect(expected.length).toBeGreaterThan(0);
  expect(allowed).toEqual(expected);
});
