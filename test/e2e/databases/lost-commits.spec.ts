import { Body, Controller, Logger, Post } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { ValidationPipe } from '@nestjs/common';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { DataSourceOptions, Repository } from 'typeorm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FilesService, TaskQueue, TransferOwnership, WithTaskQueue } from '../../../lib/index.js';
import { FilesSweeper } from '../../../lib/entry/maintenance.js';
import { reachableDatabases } from '../../support/databases.js';
import type { EmptyDatabase } from '../../support/databases.js';
import { hurryClock } from '../../support/held-time.js';
import { formWith, startApp, uploadFile } from '../../support/http-app.js';
import { tcpProxy } from '../../support/tcp-proxy.js';
import type { Cut } from '../../support/tcp-proxy.js';

Logger.overrideLogger(false);

@Entity('page')
class Page {
  @PrimaryGeneratedColumn() id!: number;
  @Column('uuid') fileId!: string;
}

class PageDto {
  @TransferOwnership('page') fileId!: string;
}

const mailed: string[] = [];

@Controller('pages')
class PagesController {
  constructor(
    @InjectRepository(Page) private readonly pages: Repository<Page>,
    private readonly queue: TaskQueue,
    private readonly files: FilesService,
  ) {}

  @Post()
  @WithTaskQueue()
  create(@Body() dto: PageDto): Promise<Page> {
    this.queue.afterCommit(() => mailed.push('committed'));
    this.queue.afterRollback(() => mailed.push('rolled back'));
    return this.pages.save({ ...dto });
  }

  @Post('with-upload')
  @WithTaskQueue()
  async upload(): Promise<Page> {
    const { id: fileId } = await this.files.create(Buffer.from('made inside'), { name: 'inside.txt' });
    return this.pages.save({ fileId });
  }
}

// That of the unit which writes the row: the intent before it is committed with its one statement.
const COMMIT = /^COMMIT/i;

type Behind = DataSourceOptions & { host: string; port: number };

describe.each(await reachableDatabases('postgres', 'mariadb'))('a COMMIT whose reply is lost on $name', (database) => {
  async function start() {
    const { options, drop }: EmptyDatabase = await database.create();
    const target = options as Behind;
    const proxy = await tcpProxy(database.kind === 'postgres' ? 'postgres' : 'mariadb', target);
    onTestFinished(async () => {
      await proxy.close();
      await drop();
    });
    const app = await startApp({
      database: { ...target, port: proxy.port } as DataSourceOptions,
      imports: [TypeOrmModule.forFeature([Page])],
      controllers: [PagesController],
      prepare: (nest) => void nest.useGlobalPipes(new ValidationPipe({ transform: true })),
    });
    mailed.length = 0;
    const arm = (cut: Cut): void => proxy.arm({ cut, at: COMMIT });
    return { ...app, proxy, arm };
  }

  const json = (body: unknown) => ({
    method: 'POST',
    user: 'anna',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

  it.each(['reply', 'late'] as const)('succeeds as a transfer, when it was done (%s)', async (cut) => {
    const app = await start();
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    app.arm(cut);
    const answer = await app.fetch('/pages', json({ fileId: id }));
    expect([answer.status, app.proxy.fired]).toEqual([201, true]);
    const page = (await answer.json()) as Page;
    expect(mailed).toEqual(['committed']);
    const files = app.app.get(FilesService);
    expect(await files.findOrFail(id)).toMatchObject({ ownerType: 'page', ownerId: String(page.id), pinned: true });
    expect(await files.history(id)).toHaveLength(2);
  });

  it('fails as a transfer, when it was not done, and can be repeated', async () => {
    const app = await start();
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    app.arm('before');
    const answer = await app.fetch('/pages', json({ fileId: id }));
    expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'FILES_COMMIT_LOST' }]);
    expect(mailed).toEqual(['rolled back']);
    expect(await app.dataSource.getRepository(Page).count()).toBe(0);
    expect((await app.fetch('/pages', json({ fileId: id }))).status).toBe(201);
    expect(await app.app.get(FilesService).history(id)).toHaveLength(2);
  });

  it.each([
    ['an upload', '/files', () => ({ method: 'POST', user: 'anna', body: formWith('hello') })],
    ['an upload inside of a unit', '/pages/with-upload', () => json({})],
  ])('succeeds as %s, whose bytes stay', async (_what, path, request) => {
    const app = await start();
    app.arm('reply');
    const answer = await app.fetch(path, request());
    expect([answer.status, app.proxy.fired]).toEqual([201, true]);
    const [file] = (await app.app.get(FilesService).search()).results;
    expect(await app.stored()).toEqual([file!.location]);
    expect(await app.dataSource.query('SELECT * FROM files_intent')).toEqual([]);
  });

  it('fails as an upload, when it was not done, and leaves no bytes', async () => {
    const app = await start();
    app.arm('before');
    const answer = await app.fetch('/files', { method: 'POST', user: 'anna', body: formWith('hello') });
    expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'FILES_COMMIT_LOST' }]);
    expect(await app.stored()).toEqual([]);
    expect(await app.dataSource.query('SELECT * FROM files_intent')).toEqual([]);
  });

  it('leaves the bytes of an upload while the outcome is unknown; the sweeper decides by the rows', async () => {
    const app = await start();
    const files = app.app.get(FilesService);
    const upload = (name: string) => app.app.get(TaskQueue).run(() => files.create(Buffer.from(name), { name }));
    hurryClock(() => app.proxy.fired);
    for (const [at, cut] of (['reply', 'before'] as const).entries()) {
      app.proxy.arm({ cut, at: COMMIT, refuse: true });
      await expect(upload(cut)).rejects.toMatchObject({ code: 'FILES_COMMIT_OUTCOME_UNKNOWN' });
      app.proxy.disarm();
      expect(await app.stored()).toHaveLength(at + 1);
    }
    await app.dataSource.query('UPDATE files_intent SET created_at = 0');
    expect(await app.app.get(FilesSweeper).sweep()).toMatchObject({ finished: 1, failed: 0 });
    const [file] = (await files.search()).results;
    expect(file!.name).toBe('reply');
    expect(await app.stored()).toEqual([file!.location]);
  });
});
