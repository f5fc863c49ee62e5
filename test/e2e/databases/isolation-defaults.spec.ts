import { Body, Controller, Post, ValidationPipe } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { FilesService, TransferOwnership, WithTaskQueue } from 'nestjs-files';
import { FilesLinks } from 'nestjs-files/links';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { reachableDatabases } from '../../support/databases.js';
import { formWith, startApp, uploadFile } from '../../support/http-app.js';

@Entity('page')
class Page {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { length: 36 }) fileId!: string;
}

class PageDto {
  @TransferOwnership('page') fileId!: string;
}

@Controller('pages')
class PagesController {
  constructor(
    @InjectRepository(Page) private readonly pages: Repository<Page>,
    private readonly files: FilesService,
  ) {}

  @Post()
  @WithTaskQueue()
  save(@Body() { fileId }: PageDto) {
    return this.pages.save({ fileId });
  }

  @Post('made')
  @WithTaskQueue()
  async make() {
    const { id: fileId } = await this.files.create(Buffer.from('made'), { name: 'made.txt' });
    return this.pages.save({ fileId });
  }
}

const LEVELS = ['REPEATABLE READ', 'SERIALIZABLE'] as const;

const cases = (await reachableDatabases('postgres')).flatMap((database) =>
  ['database', 'role', 'connection'].flatMap((place) => LEVELS.map((level) => ({ database, place, level }))),
);

async function admin(options: DataSourceOptions, ...statements: string[]): Promise<void> {
  const dataSource = await new DataSource({ ...options, entities: [] } as DataSourceOptions).initialize();
  for (const sql of statements) await dataSource.query(sql);
  await dataSource.destroy();
}

/** How to connect so that transactions run at the level unless they ask for another one. */
async function defaultingTo(level: string, place: string, options: DataSourceOptions): Promise<DataSourceOptions> {
  const { database } = options as { database: string };
  const setting = `SET default_transaction_isolation = '${level.toLowerCase()}'`;
  if (place === 'database') await admin(options, `ALTER DATABASE ${database} ${setting}`);
  if (place === 'role') {
    const role = `${database}_role`;
    await admin(options, `CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD 'x'`, `ALTER ROLE ${role} ${setting}`);
    return { ...options, username: role, password: 'x' } as DataSourceOptions;
  }
  if (place !== 'connection') return options;
  const value = level.toLowerCase().replace(' ', String.raw`\ `);
  return { ...options, extra: { options: `-c default_transaction_isolation=${value}` } } as DataSourceOptions;
}

describe.each(cases)('a $place of $database.name that defaults to $level', ({ database, place, level }) => {
  async function start() {
    const { options, drop } = await database.create();
    onTestFinished(async () => {
      await drop();
      if (place === 'role') await dropRole(options);
    });
    return startApp({
      database: await defaultingTo(level, place, options),
      options: { links: { secrets: ['0123456789abcdef0123456789abcdef'] } },
      imports: [TypeOrmModule.forFeature([Page])],
      controllers: [PagesController],
      prepare: (app) => void app.useGlobalPipes(new ValidationPipe()),
    });
  }

  async function dropRole({ database: name, ...options }: DataSourceOptions): Promise<void> {
    await admin({ ...options, database: 'postgres' } as DataSourceOptions, `DROP ROLE ${String(name)}_role`);
  }

  const post = async (app: Awaited<ReturnType<typeof start>>, path: string, body: object = {}) => {
    const headers = { 'content-type': 'application/json' };
    return app.fetch(path, { user: 'ada', method: 'POST', headers, body: JSON.stringify(body) });
  };

  it('runs units at READ COMMITTED, which create files and lose no race', async () => {
    const app = await start();
    const transactor = app.app.get(Transactor);
    const [shown] = await transactor.run(() => app.dataSource.query<object[]>('SHOW transaction_isolation'));
    expect(shown).toEqual({ transaction_isolation: 'read committed' });
    expect((await post(app, '/pages/made')).status).toBe(201);
    for (let round = 0; round < 5; round++) {
      const { id: fileId } = await uploadFile(app, 'ada', formWith('raced'));
      const answers = await Promise.all(Array.from({ length: 4 }, () => post(app, '/pages', { fileId })));
      const statuses = answers.map(({ status }) => status).toSorted((one, other) => one - other);
      expect(statuses[0]).toBe(201);
      for (const status of statuses.slice(1)) expect([400, 409]).toContain(status);
    }
  });

  it('lets one of many use a one-time link', async () => {
    const app = await start();
    const links = app.app.get(FilesLinks);
    const { id } = await uploadFile(app, 'ada', formWith('linked'));
    for (let round = 0; round < 5; round++) {
      const { token } = await links.oneTime(id);
      const opened = await Promise.allSettled(Array.from({ length: 6 }, () => links.open(token!)));
      const codes = opened.flatMap((one) => (one.status === 'rejected' ? [(one.reason as { code: string }).code] : []));
      expect(codes).toEqual(Array(5).fill('FILES_LINK_USED'));
    }
  });
});
