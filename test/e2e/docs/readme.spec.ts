import { readFileSync } from 'node:fs';
import {
  Body,
  Controller,
  Injectable,
  Module,
  NotFoundException,
  Param,
  Patch,
  Post,
  Req,
  ValidationPipe,
} from '@nestjs/common';
import type { NestMiddleware } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { IsIn, IsOptional } from 'class-validator';
import type { NextFunction, Request, Response } from 'express';
import {
  AcceptFileType,
  FileField,
  FilesModule,
  FilesService,
  OwnerPolicy,
  OwnershipTransferTask,
  OwnsFiles,
  TaskQueue,
  TransferOwnership,
  WithTaskQueue,
} from 'nestjs-files';
import { FilesError } from 'nestjs-files/errors';
import type { Actor, FileOwnerPolicy, OwnerOperation } from 'nestjs-files';
import { fsStorage } from 'nestjs-files/storage/fs';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import { expect, it, onTestFinished } from 'vitest';
import { examplesNotRun } from '../../support/doc-examples.js';
import { shellBlocks } from '../../support/doc-pages.js';
import { newDirectory } from '../../support/files-directory.js';
import { formWith } from '../../support/http-app.js';

const [install, tryIt = ''] = shellBlocks('../README.md', 3);

interface Row {
  title: string;
  fileId: string;
}

@Injectable()
class SearchIndex {
  isBroken = false;
  readonly written: string[] = [];

  write(id: string): void {
    if (this.isBroken) throw new Error('the index is broken');
    this.written.push(id);
  }
}

@Injectable()
class Mailer {
  readonly sent: string[] = [];

  announce(title: string): void {
    this.sent.push(title);
  }
}

@Entity()
@OwnsFiles('package')
export class Package {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar', { default: '' }) title!: string;
  @Column('varchar', { default: 'private' }) visibility!: string;
  @Column('varchar', { nullable: true }) creatorId!: string | null;
  @FileField({ onReplace: 'delete' }) @Column('uuid', { nullable: true }) attachmentId!: string | null; // 1. declare the column
}

export class PackageDto {
  @IsOptional() @IsIn(['private', 'public']) visibility?: string;
  @IsOptional() @AcceptFileType('application/pdf') @TransferOwnership('package') attachmentId?: string; // 2. decorate the field
}

// The user, as your authentication guard sets it on the request.
interface SignedIn {
  user: { id: string };
}

@Controller('packages')
export class PackagesController {
  constructor(@InjectRepository(Package) private readonly packages: Repository<Package>) {}

  @Post()
  @WithTaskQueue() // 3. decorate the handlers
  create(@Body() dto: PackageDto, @Req() { user }: SignedIn) {
    return this.packages.save({ ...dto, creatorId: user.id });
  }

  @Patch(':id')
  @WithTaskQueue()
  async update(@Param('id') id: string, @Body() dto: PackageDto, @Req() { user }: SignedIn) {
    // Your application decides who may change the package.
    if (!(await this.packages.existsBy({ id, creatorId: user.id }))) throw new NotFoundException();
    return this.packages.save({ ...dto, id });
  }
}

@Injectable()
@OwnerPolicy('package')
export class PackageFiles implements FileOwnerPolicy {
  constructor(@InjectRepository(Package) private readonly packages: Repository<Package>) {}

  async allows(operation: OwnerOperation, actor: Actor | null, ownerId: string) {
    const found = await this.packages.findOneBy({ id: ownerId });
    if (operation === 'read' && found?.visibility === 'public') return true;
    return actor !== null && found?.creatorId === actor.id;
  }
}

@Injectable()
export class Importer {
  constructor(
    private readonly queue: TaskQueue,
    private readonly index: SearchIndex,
    private readonly mailer: Mailer,
    @InjectRepository(Package) private readonly packages: Repository<Package>,
  ) {}

  @WithTaskQueue()
  async importOne(row: Row): Promise<Package> {
    this.queue.add(new OwnershipTransferTask(row.fileId, 'package', 'id')); // 'id': the path of the package's id in the result
    this.queue.add((pkg: Package) => this.index.write(pkg.id)); // if it throws, nothing is saved
    this.queue.afterCommit(() => this.mailer.announce(row.title)); // if it fails, the error is logged; the package stays saved
    return this.packages.save({ title: row.title, attachmentId: row.fileId });
  }
}

const here = process.cwd();
process.chdir(newDirectory());

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'better-sqlite3',
      database: 'app.sqlite',
      autoLoadEntities: true,
      synchronize: true,
    }),
    TypeOrmModule.forFeature([Package]),
    FilesModule.forRoot({
      storages: { default: fsStorage({ root: 'var/files' }) },
      uploads: 'authenticated',
      cascade: { package: true },
    }),
  ],
  controllers: [PackagesController],
  providers: [PackageFiles],
})
export class AppModule {}

@Module({
  imports: [AppModule, TypeOrmModule.forFeature([Package])],
  providers: [Importer, SearchIndex, Mailer],
})
class WholeModule {}

/** What the application's login leaves on the request. */
const logIn: NestMiddleware['use'] = (
  request: Request & { user?: object },
  _response: Response,
  next: NextFunction,
) => {
  const id = request.header('x-user');
  if (id) request.user = { id };
  next();
};

async function start() {
  const testing = await Test.createTestingModule({ imports: [WholeModule] }).compile();
  const app = testing.createNestApplication({ logger: false });
  app.use(logIn);
  app.useGlobalPipes(new ValidationPipe({ whitelist: true }));
  await app.listen(0, '127.0.0.1');
  process.chdir(here);
  onTestFinished(() => app.close());
  const url = await app.getUrl();
  return { app, packages: app.get(DataSource).getRepository(Package), url };
}

it('runs every example of the README and of docs/errors.md', async () => {
  expect(await examplesNotRun('../README.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('errors.md', import.meta.url)).toEqual([]);
});

it('does what the README says', async () => {
  const { app, packages, url } = await start();
  const files = app.get(FilesService);
  const ada = { 'x-user': 'ada' };
  const json = { ...ada, 'content-type': 'application/json' };
  const upload = (headers: HeadersInit) =>
    fetch(`${url}/files`, { method: 'POST', headers, body: formWith('%PDF-1.7\n', 'report.pdf') });
  const send = async (method: string, path: string, body: object, headers: HeadersInit = json) => {
    const response = await fetch(`${url}/packages${path}`, { method, headers, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as { id: string; attachmentId: string | null } };
  };
  const uploaded = await upload(ada);
  const { id } = (await uploaded.json()) as { id: string };
  const { body: pkg } = await send('POST', '', { visibility: 'public' });
  const content = async () => (await fetch(`${url}/files/${id}/content`)).status;

  const closed = await content();
  const patched = await send('PATCH', `/${pkg.id}`, { attachmentId: id });
  const deletion = await (async () => {
    try {
      await files.delete(id);
    } catch (error) {
      if (error instanceof FilesError && error.code === 'FILES_FILE_PINNED') return 'unpin it first';
      throw error;
    }
    return 'deleted';
  })();

  expect([uploaded.status, closed, patched.status, await content()]).toEqual([201, 404, 200, 200]);
  expect(await files.findOrFail(id)).toMatchObject({
    ownerType: 'package',
    ownerId: pkg.id,
    ownerField: 'attachmentId',
  });
  expect(deletion).toBe('unpin it first');

  const { id: another } = (await (await upload(ada)).json()) as { id: string };
  const created = await send('POST', '', { attachmentId: another });
  expect(created).toMatchObject({ status: 201, body: { attachmentId: another } });
  expect(await files.findOrFail(another)).toMatchObject({ ownerType: 'package', ownerId: created.body.id });
  const nobody = { 'content-type': 'application/json' };
  const { id: unused } = (await (await upload(ada)).json()) as { id: string };
  expect((await upload({})).status).toBe(401);
  for (const [method, path] of [
    ['POST', ''],
    ['PATCH', `/${pkg.id}`],
  ] as const) {
    expect((await send(method, path, { attachmentId: unused }, nobody)).status).toBe(400);
    expect((await send(method, path, {}, nobody)).status).toBe(500);
  }

  const [importer, index, mailer] = [app.get(Importer), app.get(SearchIndex), app.get(Mailer)];
  const create = () => files.create(Buffer.from('x'), { name: 'x', owner: null });
  const [first, second] = [await create(), await create()];
  const imported = await importer.importOne({ title: 'first', fileId: first.id });
  index.isBroken = true;
  await expect(importer.importOne({ title: 'second', fileId: second.id })).rejects.toThrow('broken');

  expect([index.written, mailer.sent, await packages.count()]).toEqual([[imported.id], ['first'], 3]);
  expect([(await files.findOrFail(first.id)).ownerId, (await files.findOrFail(second.id)).ownerId]).toEqual([
    imported.id,
    null,
  ]);
});

it('names commands that CI runs from a clean checkout', () => {
  const ci = readFileSync(new URL('../../../.ci/run', import.meta.url), 'utf8');
  const commands = tryIt.split('\n').flatMap((line) => line.replace(/#.*/, '').split('&&'));
  const named = new Set(commands.map((command) => command.trim()).filter((command) => command !== ''));
  expect([...named].toSorted()).toEqual(['npm ci', 'npm start', 'npm test']);
  for (const script of ['npm ci', 'npm start', 'tests tests test']) expect(ci).toContain(script);
  // test/package installs the packed library as any other.
  expect(install).toBe('npm install nestjs-files better-sqlite3@12\n');
});
