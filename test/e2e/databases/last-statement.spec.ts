import { Body, Controller, Logger, Param, ParseIntPipe, Patch, Post, ValidationPipe } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import type { Request } from 'express';
import { tracingChannel } from 'node:diagnostics_channel';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { DataSourceOptions, Repository } from 'typeorm';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { TransferTrace } from '../../../lib/diagnostics/traces.js';
import { FileField, FilesService, OwnsFiles, TaskQueue, TransferOwnership, WithTaskQueue } from '../../../lib/index.js';
import type { FilesModuleOptions } from '../../../lib/index.js';
import { reachableDatabases } from '../../support/databases.js';
import type { EmptyDatabase } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { HELD, holdTimers } from '../../support/held-time.js';
import { formWith, startApp, uploadFile } from '../../support/http-app.js';
import { tcpProxy } from '../../support/tcp-proxy.js';

Logger.overrideLogger(false);

@Entity('sheet')
@OwnsFiles('sheet')
class Sheet {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
  @FileField() @Column('uuid', { array: true, default: [] }) fileIds!: string[];
}

/** Its files are found by the handler's result. */
@Entity('loose_sheet')
class LooseSheet {
  @PrimaryGeneratedColumn() id!: number;
  @Column('uuid', { nullable: true }) fileId!: string | null;
}

@Entity('member')
@OwnsFiles('member')
class Member {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @Column('uuid', { nullable: true }) avatarId!: string | null;
}

class SheetDto {
  @TransferOwnership('sheet') fileId!: string;
}
class SheetsDto {
  @TransferOwnership('sheet') fileIds!: string[];
}
class LooseDto {
  @TransferOwnership('loose') fileId!: string;
}

let meanwhile: () => Promise<unknown> | undefined;

@Controller('sheets')
class SheetsController {
  constructor(
    @InjectRepository(Sheet) private readonly sheets: Repository<Sheet>,
    @InjectRepository(LooseSheet) private readonly loose: Repository<LooseSheet>,
    private readonly queue: TaskQueue,
  ) {}

  @Patch(':id') @WithTaskQueue() async update(@Param('id', ParseIntPipe) id: number, @Body() dto: SheetDto) {
    await this.sheets.update(id, { fileId: dto.fileId });
    await TaskQueue.detach(meanwhile);
  }

  @Patch(':id/files') @WithTaskQueue() async updateList(@Param('id', ParseIntPipe) id: number, @Body() dto: SheetsDto) {
    await this.sheets.update(id, { fileIds: dto.fileIds });
    await TaskQueue.detach(meanwhile);
  }

  @Patch(':id/quick') @WithTaskQueue({ timeout: HELD }) async quick(
    @Param('id', ParseIntPipe) id: number,
    @Body() dto: SheetDto,
  ) {
    await this.sheets.update(id, { fileId: dto.fileId });
    await TaskQueue.detach(meanwhile);
  }

  @Patch(':id/and-then') @WithTaskQueue() async andThen(@Param('id', ParseIntPipe) id: number, @Body() dto: SheetDto) {
    await this.sheets.update(id, { fileId: dto.fileId });
    this.queue.add(() => this.sheets.countBy({ id }));
  }

  @Post('loose') @WithTaskQueue() create(@Body() { fileId }: LooseDto) {
    return this.loose.save({ fileId });
  }
}

const asMember: FilesModuleOptions['actor'] = (context) => {
  const { headers } = context.switchToHttp().getRequest<Request>();
  return { type: 'member', id: String(headers['x-user']) };
};

const isTransfer = (sql: string): boolean => /^\s*WITH w AS/.test(sql);

describe.each(await reachableDatabases('postgres'))('The last transfer of a unit on $name', (database) => {
  beforeEach(() => {
    meanwhile = () => undefined;
  });

  async function start(options: Partial<FilesModuleOptions> = {}) {
    const { options: target, drop }: EmptyDatabase = await database.create();
    const behind = target as DataSourceOptions & { host: string; port: number };
    const proxy = await tcpProxy('postgres', behind);
    onTestFinished(async () => {
      await proxy.close();
      await drop();
    });
    const app = await startApp({
      database: { ...behind, port: proxy.port } as DataSourceOptions,
      options,
      imports: [TypeOrmModule.forFeature([Sheet, LooseSheet, Member])],
      controllers: [SheetsController],
      prepare: (nest) => void nest.useGlobalPipes(new ValidationPipe({ transform: true })),
    });
    const sheets = app.dataSource.getRepository(Sheet);
    const { id } = await sheets.save({ fileId: null });
    const { id: fileId } = await uploadFile(app, 'anna', formWith('hello'));
    const files = app.app.get(FilesService);
    const send = async (path: string, body: object, user = 'anna', method = 'PATCH') => {
      const init = { method, user, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
      const answer = await app.fetch(`/sheets/${path}`, init);
      return { status: answer.status, body: (await answer.json().catch(() => ({}))) as Record<string, unknown> };
    };
    const actions = async (file = fileId) => (await files.history(file)).map(({ action }) => action);
    const owner = async (file = fileId) => {
      const { ownerType, ownerId, pinned } = await files.findOrFail(file);
      return `${ownerType} ${ownerId}${pinned ? '*' : ''}`;
    };
    return { ...app, behind, proxy, sheets, id, fileId, files, send, actions, owner };
  }
  type App = Awaited<ReturnType<typeof start>>;

  /** Holds the row of the file locked by another connection. */
  async function lock(app: App): Promise<() => Promise<void>> {
    const other = await new DataSource(app.behind).initialize();
    const runner = other.createQueryRunner();
    await runner.startTransaction();
    await runner.query('SELECT 1 FROM files_file WHERE id = $1 FOR UPDATE', [app.fileId]);
    return async () => {
      await runner.commitTransaction();
      await runner.release();
      await other.destroy();
    };
  }

  it('goes to the server with the COMMIT: three waits a request', async () => {
    const app = await start();
    app.proxy.arm();
    expect((await app.send(`${app.id}`, { fileId: app.fileId })).status).toBe(200);
    expect(app.proxy.waits).toBe(3);
    expect(app.proxy.statements.slice(-2)).toEqual([expect.stringMatching(/^\s*WITH w AS/), 'COMMIT']);
    expect([await app.owner(), await app.actions()]).toEqual([`sheet ${app.id}*`, ['create', 'transfer']]);
  });

  it('goes with the COMMIT for records whose owner is read from the result', async () => {
    const app = await start();
    app.proxy.arm();
    expect((await app.send('loose', { fileId: app.fileId }, 'anna', 'POST')).status).toBe(201);
    expect(app.proxy.waits).toBe(3);
    expect(await app.owner()).toBe('loose 1*');
  });

  it('moves many files, prepared the second time', async () => {
    const app = await start();
    for (let round = 0; round < 2; round++) {
      const ids: string[] = [];
      for (let n = 0; n < 12; n++) ids.push((await uploadFile(app, 'anna', formWith(`${n}`))).id);
      expect((await app.send(`${app.id}/files`, { fileIds: ids })).status).toBe(200);
      for (const id of ids) expect(await app.owner(id)).toBe(`sheet ${app.id}*`);
    }
  });

  it.each([
    ['by a manager, whose files may be a record’s', 'admin', {}],
    ['while quotas count', 'anna', { quotas: { user: { bytes: 1_000 } } } as Partial<FilesModuleOptions>],
  ])('goes before the COMMIT %s', async (_what, user, options) => {
    const app = await start(options);
    app.proxy.arm();
    expect((await app.send(`${app.id}`, { fileId: app.fileId }, user)).status).toBe(200);
    const at = app.proxy.statements.findIndex(isTransfer);
    expect(app.proxy.statements[at]).not.toContain('nestjs-files:');
    expect(await app.owner()).toBe(`sheet ${app.id}*`);
  });

  it('goes before the COMMIT where the actor is a record that may name the file, which is asked', async () => {
    const app = await start({ actor: asMember });
    const members = app.dataSource.getRepository(Member);
    const { id } = await members.save({ avatarId: null });
    const avatar = await uploadFile(app, String(id), formWith('face'));
    await members.update(id, { avatarId: avatar.id });
    await app.files.unpin(avatar.id);
    const answer = await app.send(`${app.id}`, { fileId: avatar.id }, String(id));
    expect([answer.status, answer.body]).toMatchObject([409, { code: 'FILES_IN_USE' }]);
    expect(await app.owner(avatar.id)).toBe(`member ${id}`);
  });

  it('goes before a task that comes after it', async () => {
    const app = await start();
    app.proxy.arm();
    expect((await app.send(`${app.id}/and-then`, { fileId: app.fileId })).status).toBe(200);
    expect(app.proxy.statements.slice(-3).map(isTransfer)).toEqual([true, false, false]);
  });

  it('goes before the COMMIT where somebody traces tasks, and to its own trace with the COMMIT', async () => {
    const app = await start();
    const seen: string[] = [];
    const transfers = tracingChannel<string, TransferTrace>('nestjs-files:transfer');
    const ended = { asyncEnd: () => void seen.push(`transfer after ${app.proxy.statements.at(-1)}`) };
    transfers.subscribe(ended as never);
    onTestFinished(() => transfers.unsubscribe(ended as never));
    app.proxy.arm();
    await app.send(`${app.id}`, { fileId: app.fileId });
    expect(seen).toEqual(['transfer after COMMIT']);
    const tasks = tracingChannel('nestjs-files:task');
    const task = { asyncEnd: () => void seen.push('task') };
    tasks.subscribe(task as never);
    onTestFinished(() => tasks.unsubscribe(task as never));
    app.proxy.arm();
    await app.send(`${app.id}`, { fileId: (await uploadFile(app, 'anna', formWith('next'))).id });
    expect(app.proxy.statements.filter((sql) => sql.includes('nestjs-files:'))).toEqual([]);
    expect(seen).toContain('task');
  });

  it('is refused when the file was given away meanwhile: nothing is saved, no fault is logged', async () => {
    const app = await start();
    const logged = vi.spyOn(app.dataSource.logger, 'logQueryError');
    meanwhile = () => app.files.transferOwnership(app.fileId, { ownerType: 'user', ownerId: 'bert' });
    const answer = await app.send(`${app.id}`, { fileId: app.fileId });
    expect([answer.status, answer.body]).toMatchObject([409, { code: 'FILES_FILE_CHANGED' }]);
    expect(await app.sheets.findOneBy({ id: app.id })).toMatchObject({ fileId: null });
    expect([await app.owner(), logged.mock.calls]).toEqual(['user bert', []]);
    const { id } = await uploadFile(app, 'anna', formWith('other'));
    meanwhile = () => undefined;
    expect((await app.send(`${app.id}`, { fileId: id })).status).toBe(200);
  });

  it('is refused as a whole for one file of many', async () => {
    const app = await start();
    const other = await uploadFile(app, 'anna', formWith('other'));
    meanwhile = () => app.files.delete(other.id);
    const answer = await app.send(`${app.id}/files`, { fileIds: [app.fileId, other.id] });
    expect([answer.status, answer.body]).toMatchObject([409, { code: 'FILES_FILE_CHANGED' }]);
    expect([await app.owner(), await app.actions()]).toEqual(['user anna', ['create']]);
  });

  it('pins the files that the record has already, and notes it in the history', async () => {
    const app = await start();
    await app.send(`${app.id}`, { fileId: app.fileId });
    meanwhile = () => app.dataSource.query('UPDATE files_file SET pinned = false WHERE id = $1', [app.fileId]);
    app.proxy.arm();
    expect((await app.send(`${app.id}`, { fileId: app.fileId })).status).toBe(200);
    expect([await app.owner(), await app.actions()]).toEqual([`sheet ${app.id}*`, ['create', 'transfer', 'pin']]);
  });

  it('is called off at the deadline while it waits for a lock, and does not happen later', async () => {
    const app = await start();
    let unlock: (() => Promise<void>) | undefined;
    meanwhile = async () => (unlock = await lock(app));
    const pass = holdTimers();
    app.proxy.arm();
    const answering = app.send(`${app.id}/quick`, { fileId: app.fileId });
    await expect.poll(() => app.proxy.statements.at(-1)).toBe('COMMIT');
    pass();
    const answer = await answering;
    expect([answer.status, answer.body]).toMatchObject([503, { code: 'FILES_UNIT_TIMEOUT' }]);
    await unlock?.();
    expect(await app.owner()).toBe('user anna');
    expect(await app.sheets.findOneBy({ id: app.id })).toMatchObject({ fileId: null });
  });

  it('is called off where its connection breaks while it waits for a lock', async () => {
    const app = await start();
    let unlock: (() => Promise<void>) | undefined;
    meanwhile = async () => (unlock = await lock(app));
    const waiting = gate();
    const answering = app.send(`${app.id}`, { fileId: app.fileId });
    const asked = setInterval(() => app.proxy.statements.at(-1) === 'COMMIT' && waiting.open(), 5);
    onTestFinished(() => clearInterval(asked));
    app.proxy.arm();
    await waiting.opened;
    app.proxy.cutAll();
    const answer = await answering;
    expect([answer.status, answer.body]).toMatchObject([503, { code: 'FILES_COMMIT_LOST' }]);
    await unlock?.();
    expect(await app.owner()).toBe('user anna');
    meanwhile = () => undefined;
    expect((await app.send(`${app.id}`, { fileId: app.fileId })).status).toBe(200);
  });

  it('is not confused with a COMMIT that fails', async () => {
    const app = await start();
    await app.dataSource.query(
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no sheets today'; END $$`,
    );
    await app.dataSource.query(
      'CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON sheet DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()',
    );
    const logged = vi.spyOn(app.dataSource.logger, 'logQueryError');
    expect((await app.send(`${app.id}`, { fileId: app.fileId })).status).toBe(500);
    expect(logged.mock.calls.map(([error, sql]) => [String(error), sql])).toEqual([
      ['error: no sheets today', 'COMMIT'],
    ]);
    expect(await app.owner()).toBe('user anna');
  });
});
