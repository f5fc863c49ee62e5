import { Injectable } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { FileJob, FilesModule, TaskQueue, WithTaskQueue } from 'nestjs-files';
import type { JobContext } from 'nestjs-files';
import { FilesJobs, outboxJobs } from 'nestjs-files/jobs';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { Column, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import { expect, it } from 'vitest';
import { examplesNotRun } from '../../support/doc-examples.js';
import { startApp } from '../../support/http-app.js';

@Entity()
class Package {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar') title!: string;
  @Column('boolean', { default: false }) isAnnounced!: boolean;
  @Column('varchar', { nullable: true }) thumbnail!: string | null;
}

@Injectable()
class Mailer {
  readonly sent: string[] = [];

  async send(text: string, { messageId }: { messageId: string; signal: AbortSignal }): Promise<void> {
    if (text.includes('bounces')) throw new Error('it bounced');
    if (messageId !== '') this.sent.push(text);
    return Promise.resolve();
  }
}

@Injectable()
class Images {
  shrink(id: string, _options: { signal: AbortSignal }): Promise<string> {
    return Promise.resolve(`small ${id}`);
  }
}

@Injectable()
export class Announcements {
  constructor(
    private readonly mailer: Mailer,
    @InjectRepository(Package) private readonly packages: Repository<Package>,
  ) {}

  @FileJob('announce', { attempts: 5 })
  async run({ packageId }: { packageId: string }, { id, signal }: JobContext) {
    const pkg = await this.packages.findOneByOrFail({ id: packageId });
    await this.mailer.send(`New: ${pkg.title}`, { messageId: id, signal });
    await this.packages.update(packageId, { isAnnounced: true });
  }
}

@Injectable()
export class Importer {
  constructor(
    private readonly queue: TaskQueue,
    @InjectRepository(Package) private readonly packages: Repository<Package>,
  ) {}

  @WithTaskQueue()
  async importOne(title: string): Promise<Package> {
    const pkg = await this.packages.save({ title });
    this.queue.enqueue('announce', { packageId: pkg.id });
    return pkg;
  }
}

@Injectable()
export class Thumbnails {
  constructor(
    private readonly queue: TaskQueue,
    private readonly images: Images,
    @InjectRepository(Package) private readonly packages: Repository<Package>,
  ) {}

  @FileJob('thumbnail', { unit: false, timeout: 600_000 })
  async run({ packageId }: { packageId: string }, { signal }: JobContext) {
    const thumbnail = await this.images.shrink(packageId, { signal });
    await this.queue.run(() => this.packages.update(packageId, { thumbnail }));
  }
}

const storages = { default: memoryStorage() };

const start = (module?: ReturnType<typeof FilesModule.forRoot>) =>
  startApp({
    ...(module && { module }),
    imports: [TypeOrmModule.forFeature([Package])],
    providers: [Mailer, Images, Announcements, Importer, Thumbnails],
  });

const specs = ['docs.spec.ts', 'pg-boss.spec.ts', 'graphile-worker.spec.ts', 'bullmq.spec.ts'].map(
  (spec) => new URL(spec, import.meta.url).href,
);

it('runs every example of docs/jobs.md', async () => {
  expect(await examplesNotRun('jobs.md', ...specs)).toEqual([]);
});

it('announces the imported records', async () => {
  const { app, dataSource } = await start();
  const { id } = await app.get(Importer).importOne('Hares');
  await expect.poll(() => dataSource.getRepository(Package).findOneBy({ id })).toMatchObject({ isAnnounced: true });
  expect(app.get(Mailer).sent).toEqual(['New: Hares']);
});

it('queues jobs with a key and with a delay', async () => {
  const { app, dataSource } = await start();
  const queue = app.get(TaskQueue);
  const packages = dataSource.getRepository(Package);
  const { id: packageId } = await packages.save({ title: 'Hares' });
  await queue.run(() => {
    queue.enqueue('thumbnail', { packageId }, { key: packageId }); // one job of this name and key
    queue.enqueue('announce', { packageId }, { delay: 60_000 }); // not before a minute has passed
  });
  await expect.poll(() => packages.findOneBy({ id: packageId })).toMatchObject({ thumbnail: `small ${packageId}` });
  const rows = await dataSource.query<{ name: string }[]>("SELECT name FROM files_job WHERE state = 'open'");
  expect(rows.map(({ name }) => name)).toContain('announce');
  expect(app.get(Mailer).sent).toEqual([]);
});

it('lists jobs that have failed, and lets them run again', async () => {
  const { app, dataSource } = await start();
  await app.get(Importer).importOne('bounces');
  // As if four attempts were over.
  await expect.poll(() => dataSource.query('SELECT id FROM files_job WHERE last_error IS NOT NULL')).toHaveLength(1);
  await dataSource.query('UPDATE files_job SET attempts = 4, due_at = 0');
  await expect.poll(() => app.get(FilesJobs).failed(), { timeout: 10_000 }).toHaveLength(1);

  const jobs = app.get(FilesJobs);
  const failed = await jobs.failed({ limit: 20 }); // [{ id, name, payload, attempts, error, failedAt }, …]
  await jobs.retry(...failed.filter(({ name }) => name === 'announce').map(({ id }) => id));

  expect(failed[0]).toMatchObject({ name: 'announce', attempts: 5, error: 'Error: it bounced' });
  expect(await jobs.failed()).toEqual([]);
});

it('leaves jobs to another process with the option of the page', async () => {
  const { app, dataSource } = await start(FilesModule.forRoot({ storages, jobs: { work: false } }));
  await app.get(Importer).importOne('Hares');
  await app.get(Importer).importOne('Tortoises');
  expect(await dataSource.query('SELECT attempts FROM files_job')).toEqual([{ attempts: 0 }, { attempts: 0 }]);
});

it('runs jobs with the engine of the page', async () => {
  const { app, dataSource } = await start(
    FilesModule.forRoot({
      storages,
      jobs: { engine: outboxJobs({ poll: 5_000, lease: 300_000, keepKeys: 7 * 86_400_000 }) },
    }),
  );
  await app.get(Importer).importOne('Hares');
  await expect.poll(() => dataSource.query('SELECT id FROM files_job')).toEqual([]);
  expect(app.get(Mailer).sent).toEqual(['New: Hares']);
});
