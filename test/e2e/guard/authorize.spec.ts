import { Body, Controller, Injectable, Param, Patch, Post, Put, ValidationPipe } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { IsOptional, validateOrReject } from 'class-validator';
import { Column, Entity, IsNull, PrimaryGeneratedColumn, Repository } from 'typeorm';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  FileField,
  FilesAccess,
  OwnerPolicy,
  OwnsFiles,
  TaskQueue,
  TransferOwnership,
  UploadAs,
  WithTaskQueue,
} from '../../../lib/index.js';
import type { Actor, FileOwnerPolicy, FilesModuleOptions, OwnerOperation } from '../../../lib/index.js';
import { reachableDatabases } from '../../support/databases.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';
import type { HttpApp } from '../../support/http-app.js';

@Entity('dossier')
@OwnsFiles('dossier')
class Dossier {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { nullable: true }) creatorId!: string | null;
  @Column('varchar', { nullable: true, unique: true }) code!: string | null;
  @FileField() @Column('varchar', { nullable: true }) fileId!: string | null;
}
/** A folder names no files itself; its sheets do, and it owns them. */
@Entity('folder')
@OwnsFiles('folder')
class Folder {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { nullable: true }) creatorId!: string | null;
}
@Entity('sheet')
@OwnsFiles('folder', { idField: 'folderId' })
class Sheet {
  @PrimaryGeneratedColumn() id!: number;
  @Column('int') folderId!: number;
  @FileField() @Column('varchar', { nullable: true }) fileId!: string | null;
}

const AUTHORIZED = { authorize: true };
class DossierDto {
  @IsOptional() creatorId?: string;
  @IsOptional() @TransferOwnership('dossier', AUTHORIZED) fileId?: string;
}
class UsualDto {
  @IsOptional() creatorId?: string;
  @IsOptional() @TransferOwnership('dossier') fileId?: string;
}
class UploadDto {
  @IsOptional() creatorId?: string;
  @UploadAs('dossier', AUTHORIZED) fileId!: string;
}
class SheetDto {
  @IsOptional() creatorId?: string;
  @TransferOwnership('folder', AUTHORIZED) fileId!: string;
}
class UnwatchedDto {
  @TransferOwnership('shelf', AUTHORIZED) fileId!: string;
}

interface ImportedRow {
  user: string;
  fileId: string;
  /** @default a new dossier */
  id?: number | 'of the row before';
}

@Injectable()
class Importer {
  constructor(@InjectRepository(Dossier) private readonly dossiers: Repository<Dossier>) {}

  @WithTaskQueue() async importOne(creatorId: string, fileId: string, id?: number): Promise<Dossier> {
    await validateOrReject(Object.assign(new DossierDto(), { fileId }));
    return this.dossiers.save(id === undefined ? { creatorId, fileId } : { id, fileId });
  }
}

@Controller('dossiers')
class Dossiers {
  constructor(
    private readonly access: FilesAccess,
    private readonly importer: Importer,
    @InjectRepository(Dossier) private readonly dossiers: Repository<Dossier>,
    @InjectRepository(Folder) private readonly folders: Repository<Folder>,
    @InjectRepository(Sheet) private readonly sheets: Repository<Sheet>,
  ) {}

  @Post('folders') @WithTaskQueue() async fold(@Body() { creatorId, fileId }: SheetDto) {
    const folder = await this.folders.save({ creatorId: creatorId ?? null });
    await this.sheets.save({ folderId: folder.id, fileId });
    return folder;
  }
  @Post('folders/:id/sheets') @WithTaskQueue() async add(@Param('id') id: string, @Body() dto: SheetDto) {
    if (dto.creatorId !== undefined) await this.folders.update(id, { creatorId: dto.creatorId });
    return this.sheets.save({ folderId: Number(id), fileId: dto.fileId });
  }
  @Post() @WithTaskQueue() create(@Body() dto: DossierDto) {
    return this.dossiers.save({ ...dto });
  }
  @Post('late') @WithTaskQueue() async createLate(@Body() { fileId }: DossierDto) {
    const { id } = await this.dossiers.save({ creatorId: 'somebody' });
    return this.dossiers.save({ id, fileId: fileId ?? null });
  }
  @Patch(':id') @WithTaskQueue() update(@Param('id') id: string, @Body() dto: DossierDto) {
    return this.dossiers.save({ ...dto, id: Number(id) });
  }
  @Patch(':id/usual') @WithTaskQueue() usual(@Param('id') id: string, @Body() dto: UsualDto) {
    return this.dossiers.save({ ...dto, id: Number(id) });
  }
  @Patch(':id/steps') @WithTaskQueue() async steps(@Param('id') id: string, @Body() { creatorId, fileId }: DossierDto) {
    await this.dossiers
      .createQueryBuilder()
      .update()
      .set({ creatorId: creatorId ?? null })
      .where({ id })
      .execute();
    await this.dossiers.update({ id: Number(id) }, { fileId: fileId ?? null });
    return { id: Number(id), fileId };
  }
  @Patch(':id/upsert') @WithTaskQueue() async upsert(@Param('id') id: string, @Body() dto: DossierDto) {
    await this.dossiers.upsert({ ...dto, code: 'theirs' }, ['code']);
    return this.dossiers.findOneByOrFail({ id: Number(id) });
  }
  /** Makes the record, which is undone; meanwhile somebody else makes one with the same id. */
  @Post('undone') @WithTaskQueue() async undone(@Body() dto: DossierDto) {
    let id = 0;
    const undo = this.dossiers.manager.transaction(async (manager) => {
      ({ id } = await manager.save(Dossier, { creatorId: 'ada' }));
      throw new Error('undone');
    });
    await undo.catch(() => undefined);
    const { manager } = this.dossiers;
    await TaskQueue.detach(() => manager.query(`INSERT INTO dossier (id, "creatorId") VALUES (${id}, 'bob')`));
    return this.dossiers.save({ ...dto, id });
  }
  /** All rows or none, each in the name of its user. */
  @Post('import') @WithTaskQueue() async import(@Body('rows') rows: ImportedRow[]) {
    const made: number[] = [];
    for (const { user, fileId, id } of rows) {
      const one = () => this.importer.importOne(user, fileId, id === 'of the row before' ? made.at(-1) : id);
      made.push((await this.access.actAs({ type: 'user', id: user }, one)).id);
    }
    return { made };
  }
  @Patch(':id/noted') @WithTaskQueue() async noted(@Param('id') id: string, @Body() dto: DossierDto) {
    const admin = { type: 'user', id: 'admin' };
    await this.access.actAs(admin, () => this.dossiers.update({ id: Number(id) }, { code: 'noted' }));
    return this.dossiers.save({ ...dto, id: Number(id) });
  }
  @Post('noted') @WithTaskQueue() async createNoted(@Body() { fileId }: DossierDto) {
    const admin = { type: 'user', id: 'admin' };
    const { id } = await this.access.actAs(admin, () => this.dossiers.save({ creatorId: 'admin' }));
    return this.dossiers.save({ id, fileId: fileId ?? null });
  }
  @Put(':id/file') @WithTaskQueue() upload(@Param('id') id: string, @Body() dto: UploadDto) {
    return this.dossiers.save({ ...dto, id: Number(id) });
  }
  @Post('unwatched') @WithTaskQueue() unwatched(@Body() dto: UnwatchedDto) {
    return { id: 1, ...dto };
  }
}

@Injectable()
@OwnerPolicy('dossier')
class DossierPolicy implements FileOwnerPolicy {
  constructor(@InjectRepository(Dossier) private readonly dossiers: Repository<Dossier>) {}

  async allows(operation: OwnerOperation, actor: Actor | null, id: string) {
    const found = await this.dossiers.findOneBy({ id: Number(id) });
    return operation === 'update' && actor !== null && found?.creatorId === actor.id;
  }
}

@Injectable()
@OwnerPolicy('folder')
class FolderPolicy implements FileOwnerPolicy {
  constructor(@InjectRepository(Folder) private readonly folders: Repository<Folder>) {}

  async allows(_: OwnerOperation, actor: Actor | null, id: string) {
    return actor !== null && (await this.folders.existsBy({ id: Number(id), creatorId: actor.id }));
  }
}

const databases = await reachableDatabases();
const both = databases.flatMap((database) =>
  PLATFORMS.map((platform) => ({ name: database.name, database, platform })),
);

describe.each(both)('authorize on $name, $platform', ({ database, platform }) => {
  let app: HttpApp;
  let theirs: string;
  const start = async (options: Partial<FilesModuleOptions> = {}) => {
    const own = await database.create();
    onTestFinished(own.drop);
    app = await startApp({
      platform,
      options,
      database: own.options,
      imports: [TypeOrmModule.forFeature([Dossier, Folder, Sheet])],
      controllers: [Dossiers],
      providers: [DossierPolicy, FolderPolicy, Importer],
      prepare: (nest) => void nest.useGlobalPipes(new ValidationPipe()),
    });
    theirs = String((await dossiers().save({ creatorId: 'bob', code: 'theirs' })).id);
  };
  const dossiers = () => app.dataSource.getRepository(Dossier);
  const own = async (user = 'ada') => (await uploadFile(app, user, formWith('hello'))).id;
  const send = async (method: string, path: string, body: object, user = 'ada') => {
    const isForm = body instanceof FormData;
    const response = await app.fetch(`/dossiers${path}`, {
      method,
      user,
      body: isForm ? body : JSON.stringify(body),
      headers: isForm ? {} : { 'content-type': 'application/json' },
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const stored = async (id: string) => {
    const { creatorId, fileId } = await dossiers().findOneByOrFail({ id: Number(id) });
    return { creatorId, fileId };
  };
  beforeEach(() => start());

  it.each(['', '/steps', '/upsert'])('refuses an actor who makes the record their own in PATCH %s', async (path) => {
    const fileId = await own();
    const answer = await send('PATCH', `/${theirs}${path}`, { creatorId: 'ada', fileId });
    expect(answer).toMatchObject({ status: 403, body: { code: 'FILES_ACCESS_DENIED' } });
    expect(await stored(theirs)).toEqual({ creatorId: 'bob', fileId: null });
  });

  it.each(['', '/steps', '/upsert'])(
    'lets an actor who may change the record give it away in PATCH %s',
    async (path) => {
      const fileId = await own('bob');
      expect((await send('PATCH', `/${theirs}${path}`, { creatorId: 'ada', fileId }, 'bob')).status).toBe(200);
      expect(await stored(theirs)).toEqual({ creatorId: 'ada', fileId });
    },
  );

  it('asks about files that come with the form', async () => {
    const form = () => {
      const made = new FormData();
      made.append('creatorId', 'ada');
      made.append('fileId', new Blob(['hello']), 'a.txt');
      return made;
    };
    expect((await send('PUT', `/${theirs}/file`, form())).status).toBe(403);
    expect(await stored(theirs)).toEqual({ creatorId: 'bob', fileId: null });
    expect((await send('PUT', `/${theirs}/file`, form(), 'bob')).status).toBe(200);
  });

  it('asks each actor who acts in one unit of work', async () => {
    const mine = await dossiers().save({ creatorId: 'ada' });
    const [bobs, adas] = [await own('bob'), await own()];
    const bob = { user: 'bob', fileId: bobs, id: Number(theirs) };
    const refused = await send('POST', '/import', { rows: [bob, { user: 'ada', fileId: adas, id: Number(theirs) }] });
    expect(refused).toMatchObject({ status: 403, body: { code: 'FILES_ACCESS_DENIED' } });
    expect(await stored(theirs)).toEqual({ creatorId: 'bob', fileId: null });
    const rows = [bob, { user: 'ada', fileId: adas, id: mine.id }];
    expect(await send('POST', '/import', { rows })).toMatchObject({ status: 201, body: { made: [bob.id, mine.id] } });
    expect([await stored(theirs), await stored(String(mine.id))]).toMatchObject([{ fileId: bobs }, { fileId: adas }]);
  });

  it('asks an actor about a record that another one has inserted in the same unit of work', async () => {
    const [one, other] = [await own('bob'), await own()];
    const rows = [
      { user: 'ada', fileId: await own() },
      { user: 'bob', fileId: one },
      { user: 'ada', fileId: other, id: 'of the row before' },
    ];
    expect(await send('POST', '/import', { rows })).toMatchObject({
      status: 403,
      body: { code: 'FILES_ACCESS_DENIED' },
    });
    expect(await dossiers().count()).toBe(1);
  });

  it('asks whose file it is, although the handler wrote the record in the name of another one', async () => {
    const answer = await send('PATCH', `/${theirs}/noted`, { fileId: await own() });
    expect(answer).toMatchObject({ status: 403, body: { code: 'FILES_ACCESS_DENIED' } });
    expect(await stored(theirs)).toEqual({ creatorId: 'bob', fileId: null });
    expect((await send('PATCH', `/${theirs}/noted`, { fileId: await own('bob') }, 'bob')).status).toBe(200);
  });

  it.each(['', '/late', '/noted'])('asks nothing about a record that the call inserts: POST %s', async (path) => {
    const fileId = await own();
    expect(await send('POST', path, { fileId })).toMatchObject({ status: 201, body: { fileId } });
  });

  // SQLite has one writer, and MariaDB keeps the lock of what a savepoint has undone.
  it.runIf(database.kind === 'postgres')('asks about a record whose insertion was undone', async () => {
    const answer = await send('POST', '/undone', { fileId: await own() });
    expect(answer).toMatchObject({ status: 403, body: { code: 'FILES_ACCESS_DENIED' } });
    expect(await dossiers().countBy({ creatorId: 'bob', fileId: IsNull() })).toBe(2);
  });

  it('asks about the owner of a row that is inserted, as it was before', async () => {
    const { id } = await app.dataSource.getRepository(Folder).save({ creatorId: 'bob' });
    const path = `/folders/${id}/sheets`;
    expect((await send('POST', path, { fileId: await own(), creatorId: 'ada' })).status).toBe(403);
    expect((await send('POST', path, { fileId: await own() })).status).toBe(403);
    expect(await app.dataSource.getRepository(Sheet).count()).toBe(0);
    expect((await send('POST', path, { fileId: await own('bob') }, 'bob')).status).toBe(201);
    expect((await send('POST', '/folders', { fileId: await own() })).status).toBe(201);
  });

  it('is left out unless a field or the module asks for it', async () => {
    expect((await send('PATCH', `/${theirs}/usual`, { fileId: await own() })).status).toBe(200);
    await start({ validation: { authorize: true } });
    expect((await send('PATCH', `/${theirs}/usual`, { fileId: await own() })).status).toBe(403);
    expect((await send('PATCH', `/${theirs}/usual`, { fileId: await own('admin') }, 'admin')).status).toBe(200);
  });

  it('is refused where the rows of the owner are not watched', async () => {
    const answer = await send('POST', '/unwatched', { fileId: await own() });
    expect(answer).toMatchObject({ status: 500, body: { code: 'FILES_DECORATION_INVALID' } });
  });
});
