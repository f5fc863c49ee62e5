import { Controller, Get, Headers, Injectable } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Column, DataSource, Entity, In, PrimaryColumn } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { FilePolicy, FilesAccess, FilesService, ManagedFile, OwnerPolicy } from '../../../lib/index.js';
import type { Actor, FileAccessPolicy, FileOwnerPolicy, OwnerOperation } from '../../../lib/index.js';
import type { FileList } from '../../../lib/http/routes/file-lists.js';
import { insertFile } from '../../support/ownership-databases.js';
import { PLATFORMS, startApp } from '../../support/http-app.js';
import type { HttpApp, Platform } from '../../support/http-app.js';

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

/** The statements that are sent from now on. */
function statementsOf(dataSource: DataSource): string[] {
  const statements: string[] = [];
  const logger = { ...dataSource.logger, logQuery: (sql: string) => statements.push(sql) };
  Object.assign(dataSource, { logger: Object.setPrototypeOf(logger, dataSource.logger as object) });
  return statements;
}

it.each([
  { files: 12, owners: 4 },
  { files: 300, owners: 100 },
])('asks each policy once for $files files of $owners owners', async ({ files: count, owners }) => {
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
  const statements = statementsOf(app.dataSource);
  const { results } = await files.search({ limit: 1000 });
  const listing = statements.length;
  const allowed = await access.allowed({ type: 'user', id: 'anna' }, 'read', results);
  expect(results).toHaveLength(count);
  expect(statements.length - listing).toBe(3);
  const expected = results.filter(({ name, ownerType, ownerId }) => {
    if (name === 'secret') return false;
    return ownerType === 'group' ? ownerId === '1' : Number(ownerId) % 2 === 0;
  });
  expect(expected.length).toBeGreaterThan(0);
  expect(allowed).toEqual(expected);
});

/** Shows whoever asks those of the latest files that they may see. */
@Controller('latest')
class LatestFiles {
  constructor(
    private readonly files: FilesService,
    private readonly access: FilesAccess,
  ) {}

  @Get()
  async list(@Headers('x-user') id: string): Promise<ManagedFile[]> {
    const { results } = await this.files.search({ limit: 100 });
    return this.access.allowed({ type: 'user', id }, 'read', results);
  }
}

/** 100 files of 20 owners: the packages with even numbers are Anna's, and everybody sees the files of groups. */
async function startWithFiles(platform: Platform): Promise<HttpApp & { statements: string[] }> {
  const app = await startApp({
    platform,
    imports: [TypeOrmModule.forFeature([Package, Group])],
    options: { cascade: { package: true, group: true } },
    controllers: [LatestFiles],
    providers: [PackageFiles, GroupFiles],
  });
  for (let owner = 0; owner < 10; owner++) {
    await app.dataSource.getRepository(Package).insert({ id: `${owner}`, authorId: owner % 2 === 0 ? 'anna' : 'ben' });
    await app.dataSource.getRepository(Group).insert({ id: `${owner}` });
  }
  for (let index = 0; index < 100; index++) {
    const ownerType = index % 20 < 10 ? 'package' : 'group';
    await insertFile(app.dataSource, { ownerType, ownerId: `${index % 10}` });
  }
  return { ...app, statements: statementsOf(app.dataSource) };
}

describe.each(PLATFORMS)('a request for 100 files of 20 owners, on %s', (platform) => {
  it('asks about all rights in one statement for each type of owner', async () => {
    const { fetch, statements } = await startWithFiles(platform);
    const files = (await (await fetch('/latest', { user: 'anna' })).json()) as { ownerType: string; ownerId: string }[];
    // One is the listing: the page has all files, so nothing is counted.
    expect(statements).toHaveLength(1 + 2);
    expect(files.filter(({ ownerType }) => ownerType === 'group')).toHaveLength(50);
    const packages = files.filter(({ ownerType }) => ownerType === 'package');
    expect(packages).toHaveLength(25);
    expect(packages.every(({ ownerId }) => Number(ownerId) % 2 === 0)).toBe(true);
  });

  it('asks nothing beyond the listing for a manager', async () => {
    const { fetch, statements } = await startWithFiles(platform);
    const { count, results } = (await (await fetch('/files?limit=100', { user: 'admin' })).json()) as FileList;
    expect([count, results.length]).toEqual([100, 100]);
    expect(statements).toHaveLength(1);
  });

  it('asks once for the right to list the files of one of the owners', async () => {
    const { fetch, statements } = await startWithFiles(platform);
    const path = '/files?ownerType=package&ownerId=2&limit=100';
    const { results } = (await (await fetch(path, { user: 'anna' })).json()) as FileList;
    expect(results).toHaveLength(5);
    expect(statements).toHaveLength(1 + 1);
    expect((await fetch(path, { user: 'ben' })).status).toBe(403);
  });
});

/** The files of package 1 for everybody; the hook hides those under embargo. */
@OwnerPolicy('package')
class OpenPackage implements FileOwnerPolicy {
  allows(): boolean {
    return true;
  }
}

@FilePolicy()
class Confidential implements FileAccessPolicy {
  allows(_operation: unknown, actor: Actor | null, file: ManagedFile): false | null {
    return file.metadata?.['embargo'] === true && actor?.id !== 'chief' ? false : null;
  }
}

describe.each(PLATFORMS)('a listing of files of which some are refused, on %s', (platform) => {
  async function start() {
    const app = await startApp({
      platform,
      options: { cascade: { package: true } },
      providers: [OpenPackage, Confidential],
    });
    const files = app.app.get(FilesService);
    const owner = { type: 'package', id: '1' };
    for (let index = 0; index < 9; index++) {
      const isHidden = index % 3 === 0;
      const name = isHidden ? `merger-${index}.txt` : `note-${index}.txt`;
      const { id } = await files.create(Buffer.from(name), { name, owner });
      const metadata = { embargo: isHidden };
      await app.dataSource.getRepository(ManagedFile).update(id, { metadata });
    }
    const list = async (query: string, user?: string) => {
      const path = `/files?ownerType=package&ownerId=1${query}`;
      const response = await app.fetch(path, user === undefined ? {} : { user });
      return (await response.json()) as FileList;
    };
    return { app, list };
  }

  it('lists the others as if the refused files did not exist', async () => {
    const { list } = await start();
    const first = await list('&limit=4');
    const second = await list(`&limit=4&cursor=${first.next}`);
    expect([first.count, first.results.length, second.count, second.results.length, second.next]).toEqual([
      6,
      4,
      6,
      2,
      null,
    ]);
    const told = JSON.stringify([first, second]);
    expect(told).not.toContain('merger');
    expect(told).not.toContain('"embargo":true');
    const probe = encodeURIComponent(JSON.stringify({ name: { $like: 'merger%' } }));
    expect(await list(`&filters=${probe}`)).toEqual({ count: 0, results: [], next: null });
  });

  it('lists every file for an actor to whom none is refused', async () => {
    const { list } = await start();
    expect((await list('', 'admin')).count).toBe(9);
    expect((await list('', 'chief')).count).toBe(9);
  });

  it('copies the data that a hook goes by along with the file', async () => {
    const { app, list } = await start();
    const files = app.app.get(FilesService);
    const { results } = await list('&limit=1&sort=name', 'admin');
    const copy = await files.copy(results[0]!.id, { owner: { type: 'package', id: '1' } });
    expect(copy.metadata).toEqual({ embargo: true });
    expect((await app.fetch(`/files/${copy.id}/content`)).status).toBe(404);
    expect((await list('')).count).toBe(6);
  });
});
