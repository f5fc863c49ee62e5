import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Body, Controller, Injectable, Param, Patch, Post, ValidationPipe } from '@nestjs/common';
import { PartialType } from '@nestjs/mapped-types';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { Type } from 'class-transformer';
import { IsNotEmpty, IsOptional, ValidateNested } from 'class-validator';
import type { Request } from 'express';
import {
  AcceptFileType,
  FileExists,
  FileField,
  FilesModule,
  FilesService,
  MaxFileSize,
  OwnershipTransferTask,
  OwnsFiles,
  RequireFileAccess,
  Task,
  TaskQueue,
  TransferOwnership,
  UploadAs,
  WithTaskQueue,
} from 'nestjs-files';
import { QuotaExceededError } from 'nestjs-files/errors';
import type { Quota } from 'nestjs-files/maintenance';
import { fsStorage } from 'nestjs-files/storage/fs';
import { Column, Entity, ManyToOne, OneToMany, PrimaryColumn, PrimaryGeneratedColumn, Repository } from 'typeorm';
import type { Relation } from 'typeorm';
import { expect, it } from 'vitest';
import { examplesNotRun } from '../../support/doc-examples.js';
import { shellBlocks } from '../../support/doc-pages.js';
import { newDirectory } from '../../support/files-directory.js';
import { IN_MEMORY } from '../../support/databases.js';
import { formWith, startApp, uploadFile } from '../../support/http-app.js';

const run = promisify(execFile);

@Entity()
@OwnsFiles('package')
export class Package {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar') title!: string;
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) attachmentId!: string | null;
  @OneToMany(() => Resource, (resource) => resource.package, { cascade: true }) resources!: Relation<Resource>[];
}

@Entity()
@OwnsFiles('resource')
class Resource {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar') title!: string;
  @FileField() @Column('uuid') fileId!: string;
  @ManyToOne(() => Package, (pkg) => pkg.resources) package!: Relation<Package>;
}

@Entity()
@OwnsFiles('loan', { onDelete: 'release' })
export class Loan {
  @PrimaryGeneratedColumn('uuid') id!: string;
}

@Entity()
@OwnsFiles('clause', { onDelete: 'restrict', idField: 'number' })
class Clause {
  @PrimaryColumn('varchar') key!: string;
  @Column('varchar') number!: string;
}

@Entity()
class AuditEntry {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') action!: string;
  @Column('varchar') recordId!: string;
}

export class ResourceDto {
  @IsNotEmpty() title!: string;
  @AcceptFileType('text', 'application/pdf') @MaxFileSize('10MiB') @TransferOwnership('resource') fileId!: string;
}

export class SavePackageDto {
  @IsNotEmpty() title!: string;
  @IsOptional() @TransferOwnership('package') attachmentId?: string | null;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => ResourceDto) resources?: ResourceDto[];
}

class UpdatePackageDto extends PartialType(SavePackageDto) {}

export class SaveCoverDto {
  @IsNotEmpty() title!: string;
  @TransferOwnership('package', { owner: (result: { data: Package }) => result.data }) attachmentId!: string;
}

export class PublishDto {
  @IsNotEmpty() title!: string;
  @UploadAs('package') @AcceptFileType('application/pdf') @MaxFileSize('20MiB') attachmentId!: string;
}

class FromInboxDto {
  @IsNotEmpty() title!: string;
  @FileExists() fileId!: string;
}

@Controller('packages')
class PackagesController {
  constructor(
    private readonly queue: TaskQueue,
    @InjectRepository(Package) private readonly packages: Repository<Package>,
  ) {}

  @Post()
  @WithTaskQueue()
  create(@Body() dto: SavePackageDto) {
    return this.packages.save({ ...dto });
  }

  @Patch(':id')
  @WithTaskQueue()
  async update(@Param('id') id: string, @Body() dto: UpdatePackageDto) {
    return this.packages.save({ id, ...dto });
  }

  @Post('acknowledged')
  @WithTaskQueue()
  async acknowledge(@Body() dto: SavePackageDto) {
    const saved = await this.packages.save({ ...dto });
    this.queue.bind(dto, saved);
    return { status: 'saved' };
  }

  @Post('covers')
  @WithTaskQueue()
  async cover(@Body() dto: SaveCoverDto) {
    return { data: await this.packages.save({ ...dto }) };
  }

  @Post('published')
  @WithTaskQueue()
  publish(@Body() dto: PublishDto) {
    return this.packages.save({ ...dto });
  }

  @Post('from-inbox')
  @WithTaskQueue()
  @RequireFileAccess('transfer', (request: Request) => request.body.fileId)
  fromInbox(@Body() { title, fileId }: FromInboxDto) {
    this.queue.add(new OwnershipTransferTask(fileId, 'package', 'id'));
    return this.packages.save({ title, attachmentId: fileId });
  }
}

export class AuditTask extends Task {
  constructor(
    private readonly entries: Repository<AuditEntry>,
    private readonly action: string,
  ) {
    super();
  }

  async run(result: unknown): Promise<void> {
    await this.entries.insert({ action: this.action, recordId: String(Task.extract(result, 'id')) });
  }
}

@Injectable()
export class Releases {
  constructor(
    private readonly queue: TaskQueue,
    private readonly files: FilesService,
    @InjectRepository(Package) private readonly packages: Repository<Package>,
    @InjectRepository(AuditEntry) private readonly entries: Repository<AuditEntry>,
  ) {}

  @WithTaskQueue({ retry: 3 })
  async release(draftId: string): Promise<Package> {
    const draft = await this.packages.findOneByOrFail({ id: draftId });
    const copy = await this.files.copy(draft.attachmentId ?? '', { owner: null });
    this.queue.add(new OwnershipTransferTask(copy.id, 'package', 'id'));
    this.queue.add(new AuditTask(this.entries, 'release'));
    return this.packages.save({ title: `${draft.title}, released`, attachmentId: copy.id });
  }
}

const ENTITIES = [Package, Resource, Loan, Clause, AuditEntry];

async function start(options = {}, setup: { database?: typeof IN_MEMORY } = {}) {
  const app = await startApp({
    ...setup,
    options,
    imports: [TypeOrmModule.forFeature(ENTITIES)],
    controllers: [PackagesController],
    providers: [Releases],
    prepare: (nest) => void nest.useGlobalPipes(new ValidationPipe({ transform: true })),
  });
  const files = app.app.get(FilesService);
  const headers = { 'content-type': 'application/json' };
  return {
    ...app,
    files,
    upload: async () => (await uploadFile(app, 'ada', formWith('some text'))).id,
    ownerOf: async (id: string) => {
      const { ownerType, ownerId, pinned } = await files.findOrFail(id);
      return [ownerType, ownerId, pinned];
    },
    send: async (method: string, path: string, body: unknown, user = 'ada') => {
      const response = await app.fetch(path, { method, user, headers, body: JSON.stringify(body) });
      return { status: response.status, body: (await response.json()) as Record<string, never> };
    },
  };
}

const ELSEWHERE = ['../../package/consumer/typed-owners/owners.mts', '../../support/owner-entities.ts'];
const SPECS = [import.meta.url, ...ELSEWHERE.map((path) => new URL(path, import.meta.url).href)];

it('runs every example of the pages about ownership', async () => {
  expect(await examplesNotRun('ownership.md', ...SPECS)).toEqual([]);
  expect(await examplesNotRun('transfer.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('recipes/transfer-by-validator.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('recipes/transfer-by-hand.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('recipes/upload-in-the-action.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('recipes/an-action-of-your-own.md', import.meta.url)).toEqual([]);
});

it('transfers by validator as the pages say', async () => {
  const { files, send, upload, ownerOf } = await start();
  const [first, second, nested] = [await upload(), await upload(), await upload()];

  const created = await send('POST', '/packages', {
    title: 'a',
    attachmentId: first,
    resources: [{ title: 'r', fileId: nested }],
  });
  const { id, resources } = created.body as unknown as Package;
  const foreign = await send('POST', '/packages', { title: 'b', attachmentId: first });
  await send('PATCH', `/packages/${id}`, { attachmentId: second });
  const file = await files.findOrFail(second);

  expect(created.status).toBe(201);
  expect(await ownerOf(nested)).toEqual(['resource', resources[0]?.id, true]);
  expect(foreign).toMatchObject({
    status: 400,
    body: { message: ['attachmentId: The file does not exist, or you may not use it'] },
  });
  expect(await ownerOf(first)).toEqual([null, null, false]);
  expect(await ownerOf(second)).toEqual(['package', id, true]);
  const history = await files.history(file.id); // oldest first
  expect(history.map(({ action, toType, actorId }) => [action, toType, actorId])).toEqual([
    ['create', 'user', 'ada'],
    ['transfer', 'package', 'ada'],
  ]);
});

it('finds the owner of results that say nothing, when it is told', async () => {
  const { dataSource, send, upload, ownerOf } = await start();
  const [bound, wrapped] = [await upload(), await upload()];

  const acknowledged = await send('POST', '/packages/acknowledged', { title: 'bound', attachmentId: bound });
  await send('POST', '/packages/covers', { title: 'wrapped', attachmentId: wrapped });

  const packages = dataSource.getRepository(Package);
  const idOf = async (title: string) => (await packages.findOneByOrFail({ title })).id;
  expect(acknowledged.body).toEqual({ status: 'saved' });
  expect(await ownerOf(bound)).toEqual(['package', await idOf('bound'), true]);
  expect(await ownerOf(wrapped)).toEqual(['package', await idOf('wrapped'), true]);
});

it('transfers by hand, and in an action of its own, as the recipes say', async () => {
  const { app, dataSource, files, send, upload, ownerOf, stored } = await start({}, { database: IN_MEMORY });
  const [inbox, spare] = [await upload(), await upload()];

  const refused = await send('POST', '/packages/from-inbox', { title: 'x', fileId: inbox }, 'eve');
  const { body } = await send('POST', '/packages/from-inbox', { title: 'x', fileId: inbox });
  const pkg = body as unknown as Package;
  const released = await app.get(Releases).release(pkg.id);
  const [file, other] = [
    await files.findOrFail(spare),
    await files.create(Buffer.from('x'), { name: 'x', owner: null }),
  ];
  await files.transferOwnership([file.id, other.id], { ownerType: 'package', ownerId: pkg.id, pin: true });

  expect(refused.status).toBe(404);
  expect(await ownerOf(inbox)).toEqual(['package', pkg.id, true]);
  expect(await ownerOf(released.attachmentId as string)).toEqual(['package', released.id, true]);
  expect(await ownerOf(other.id)).toEqual(['package', pkg.id, true]);
  const entries = dataSource.getRepository(AuditEntry);
  expect(await entries.find()).toMatchObject([{ action: 'release', recordId: released.id }]);

  const before = await stored();
  await dataSource.query('CREATE TRIGGER full BEFORE INSERT ON audit_entry BEGIN SELECT RAISE(ABORT, "full"); END');
  await expect(app.get(Releases).release(pkg.id)).rejects.toThrow('full');
  expect([await stored(), await dataSource.getRepository(Package).count()]).toEqual([before, 2]);
});

it('uploads in the action, as the recipe says', async () => {
  const { url, ownerOf } = await start();
  const [upload = ''] = shellBlocks('recipes/upload-in-the-action.md');

  const { stdout } = await run('bash', ['-euc', upload.replace('http://localhost:3000', url)], { cwd: newDirectory() });

  const { id, title, attachmentId } = JSON.parse(stdout) as Package;
  expect(title).toBe('Report');
  expect(await ownerOf(String(attachmentId))).toEqual(['package', id, true]);
});

it('lets files go with their owners, and counts them, as docs/ownership.md says', async () => {
  const here = process.cwd();
  const plans = { quotaOf: (id: string): Quota | null => (id === 'small' ? { count: 0 } : null) };
  const module = () =>
    FilesModule.forRoot({
      storages: { default: fsStorage({ root: 'var/files' }) },
      quotas: { user: { bytes: '1GiB', count: 1000 }, package: (id) => plans.quotaOf(id) },
    });
  process.chdir(newDirectory());
  const app = await startApp({ module: module(), imports: [TypeOrmModule.forFeature(ENTITIES)] });
  process.chdir(here);
  const files = app.app.get(FilesService);
  const create = (type: string, id: string) => files.create(Buffer.from('x'), { name: 'x', owner: { type, id } });
  const [loans, clauses] = [app.dataSource.getRepository(Loan), app.dataSource.getRepository(Clause)];
  const [loan, clause] = [await loans.save({}), await clauses.save({ key: 'k', number: '7' })];
  const [lent, held] = [await create('loan', loan.id), await create('clause', '7')];

  await loans.remove(loan);
  const removal = clauses.remove(clause);

  await expect(removal).rejects.toMatchObject({ code: 'FILES_OWNER_HAS_FILES' });
  expect((await files.findOrFail(lent.id)).ownerId).toBeNull();
  expect((await files.findOrFail(held.id)).ownerId).toBe('7');
  await expect(create('package', 'small')).rejects.toThrow(QuotaExceededError);
  await expect(create('package', 'large')).resolves.toBeDefined();
});
