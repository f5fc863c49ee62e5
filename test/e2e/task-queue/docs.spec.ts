import { Body, Controller, Injectable, Post } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { TaskQueue, WithTaskQueue } from 'nestjs-files';
import { TaskFailedError } from 'nestjs-files/errors';
import { Column, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import { expect, it } from 'vitest';
import { examplesNotRun } from '../../support/doc-examples.js';
import { startApp } from '../../support/http-app.js';

@Entity()
class Package {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar', { unique: true }) title!: string;
}

@Injectable()
class SearchIndex {
  readonly written: string[] = [];

  write(_id: string, title: string): number {
    if (title === 'refused') throw new Error('the index refused it');
    return this.written.push(title);
  }
}

@Injectable()
class Mailer {
  readonly sent: string[] = [];

  announce(title: string): void {
    this.sent.push(title);
  }
}

@Injectable()
export class Importer {
  constructor(
    private readonly queue: TaskQueue,
    private readonly search: SearchIndex,
    private readonly mailer: Mailer,
    @InjectRepository(Package) private readonly packages: Repository<Package>,
  ) {}

  @WithTaskQueue()
  async importOne(title: string): Promise<Package> {
    this.queue.add((pkg: Package) => this.search.write(pkg.id, pkg.title));
    this.queue.afterCommit(() => this.mailer.announce(title));
    return this.packages.save({ title });
  }
}

@Injectable()
class Imports {
  constructor(private readonly importer: Importer) {}

  @WithTaskQueue()
  async importAll(titles: string[]): Promise<string[]> {
    const failed: string[] = [];
    for (const title of titles) {
      try {
        await this.importer.importOne(title);
      } catch {
        failed.push(title); // its rows and tasks are undone, the others stay
      }
    }
    return failed;
  }
}

class CreatePackageDto {
  title!: string;
}

@Controller('packages')
class PackagesController {
  constructor(@InjectRepository(Package) private readonly packages: Repository<Package>) {}

  @Post()
  @WithTaskQueue({ isolationLevel: 'SERIALIZABLE', retry: 3, timeout: 10_000 })
  create(@Body() dto: CreatePackageDto) {
    return this.packages.save({ ...dto });
  }
}

async function start() {
  const providers = [Importer, Imports, SearchIndex, Mailer];
  const app = await startApp({
    imports: [TypeOrmModule.forFeature([Package])],
    controllers: [PackagesController],
    providers,
  });
  const packages = app.dataSource.getRepository(Package);
  const titles = async () => (await packages.find({ order: { title: 'ASC' } })).map(({ title }) => title);
  return { ...app, packages, titles };
}

it('runs every example of docs/task-queue.md', async () => {
  expect(await examplesNotRun('task-queue.md', import.meta.url)).toEqual([]);
});

it('does what docs/task-queue.md says', async () => {
  const { app, packages, titles, fetch } = await start();
  const [index, mailer, queue] = [app.get(SearchIndex), app.get(Mailer), app.get(TaskQueue)];

  const failed = await app.get(Imports).importAll(['one', 'refused', 'two', 'one']);
  const error = await app
    .get(Importer)
    .importOne('refused')
    .catch((thrown: unknown) => thrown);
  const saved = await queue.run(async () => {
    queue.add((pkg: Package) => index.write(pkg.id, pkg.title));
    return packages.save({ title: 'By hand' });
  });
  const posted = await fetch('/packages', {
    method: 'POST',
    body: JSON.stringify({ title: 'posted' }),
    headers: { 'content-type': 'application/json' },
  });

  expect(failed).toEqual(['refused', 'one']);
  expect(error).toMatchObject({ message: 'the index refused it', cause: expect.any(TaskFailedError) as unknown });
  expect(saved.title).toBe('By hand');
  expect(posted.status).toBe(201);
  expect(await titles()).toEqual(['By hand', 'one', 'posted', 'two']);
  expect(index.written).toEqual(['one', 'two', 'By hand']);
  expect(mailer.sent).toEqual(['one', 'two']);
  expect([queue.isActive, queue.size]).toEqual([false, 0]);
});
