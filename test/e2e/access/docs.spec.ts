import { Body, Controller, Get, Injectable, Param, Post } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import type { Request } from 'express';
import { Column, Entity, In, PrimaryColumn, Repository } from 'typeorm';
import { expect, it } from 'vitest';
import {
  FilePolicy,
  FilesAccess,
  FilesModule,
  FilesService,
  ManagedFile,
  OwnerPolicy,
  RequireFileAccess,
} from '../../../lib/index.js';
import type { Actor, FileAccessPolicy, FileOperation, FileOwnerPolicy, OwnerOperation } from '../../../lib/index.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { newDirectory } from '../../support/files-directory.js';
import { startApp } from '../../support/http-app.js';

@Entity()
class Package {
  @PrimaryColumn('varchar') id!: string;
  @Column('varchar') authorId!: string;
}

@Injectable()
@OwnerPolicy('package')
class PackageFiles implements FileOwnerPolicy {
  constructor(@InjectRepository(Package) private readonly packages: Repository<Package>) {}

  async allows(operation: OwnerOperation, actor: Actor | null, id: string) {
    return (await this.allowsMany(operation, actor, [id])).includes(id);
  }

  async allowsMany(operation: OwnerOperation, actor: Actor | null, ids: readonly string[]) {
    const packages = await this.packages.findBy({ id: In([...ids]) });
    const allowed = packages.filter(({ authorId }) => operation === 'read' || authorId === actor?.id);
    return allowed.map(({ id }) => id);
  }
}

@OwnerPolicy('group')
class GroupFiles implements FileOwnerPolicy {
  allows(): boolean {
    return true;
  }
}

@Injectable()
@FilePolicy()
class Embargo implements FileAccessPolicy {
  allows(operation: FileOperation, actor: Actor | null, file: ManagedFile) {
    return file.metadata?.['embargo'] === true ? false : null;
  }
}

@Controller('previews')
class PreviewsController {
  @Get(':fileId')
  @RequireFileAccess('read', 'fileId')
  preview(@Param('fileId') id: string) {
    return `a preview of ${id}`;
  }

  @Post()
  @RequireFileAccess('update', (request: Request) => request.body.fileId)
  make(@Body() { fileId }: { fileId: string }) {
    return `made a preview of ${fileId}`;
  }
}

async function start() {
  const here = process.cwd();
  process.chdir(newDirectory());
  try {
    return await startApp({
      module: FilesModule.forRoot({
        storages: { default: fsStorage({ root: 'var/files' }), images: fsStorage({ root: 'var/images' }) },
        isManager: (actor) => actor?.id === 'root',
        uploads: { storages: ['images'] },
        cascade: { package: true, group: ['images'] },
      }),
      imports: [TypeOrmModule.forFeature([Package])],
      controllers: [PreviewsController],
      providers: [PackageFiles, GroupFiles, Embargo],
    });
  } finally {
    process.chdir(here);
  }
}

it('runs every example of docs/access.md', async () => {
  expect(await examplesNotRun('access.md', import.meta.url)).toEqual([]);
});

it('does what docs/access.md says', async () => {
  const app = await start();
  const [files, access] = [app.app.get(FilesService), app.app.get(FilesAccess)];
  await app.dataSource.getRepository(Package).insert({ id: '1', authorId: 'anna' });
  const create = (type: string, id: string, storage = 'default') =>
    files.create(Buffer.from('x'), { name: 'x', storage, owner: { type, id } });
  const file = await create('package', '1');
  const hidden = await create('package', '1');
  await app.dataSource.getRepository(ManagedFile).update(hidden.id, { metadata: { embargo: true } });
  const image = await create('group', '7', 'images');
  await create('group', '7');
  const actor = { type: 'user', id: 'anna' };
  const { results } = await files.search();
  const visible = await access.allowed(actor, 'read', results);
  await access.assertCan(actor, 'update', file);
  const decision = await access.explain(actor, 'read', file.id);
  expect(visible.map(({ id }) => id)).toEqual([file.id, image.id]);
  expect(decision).toEqual({
    allowed: true,
    rule: 'cascade',
    owner: { type: 'package', id: '1' },
    operation: 'read',
    policy: 'PackageFiles',
    answer: true,
  });
  await expect(access.explain(actor, 'read', crypto.randomUUID())).rejects.toMatchObject({
    code: 'FILES_FILE_NOT_FOUND',
  });
  expect(await access.canOwner(actor, 'receive', { type: 'package', id: '1' })).toBe(true);
  expect(await Promise.all(['default', 'images'].map((name) => access.canUpload(actor, name)))).toEqual([false, true]);
  expect(await (await app.fetch(`/previews/${file.id}`)).text()).toBe(`a preview of ${file.id}`);
  const body = JSON.stringify({ fileId: file.id });
  const made = await app.fetch('/previews', {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  });
  expect([made.status, await made.json()]).toMatchObject([401, { code: 'FILES_AUTHENTICATION_REQUIRED' }]);
});
