import { Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, Interval, ScheduleModule, SchedulerRegistry, Timeout } from '@nestjs/schedule';
import { plainToInstance } from 'class-transformer';
import { validateOrReject } from 'class-validator';
import { expect, it } from 'vitest';
import { FilesAccess, ManagedFile, TaskQueue, WithTaskQueue } from '../../../lib/index.js';
import { describeTransport, startTransport } from '../../support/describe-transport.js';
import type { TransportUnderTest } from '../../support/describe-transport.js';
import type { Package } from '../../support/ownership-app.js';
import { insertFile } from '../../support/ownership-databases.js';
import { PackageDto, Packages } from '../../support/transport-app.js';

interface Order {
  dto: PackageDto;
  done(): void;
  undone(): void;
}

@Injectable()
class Jobs {
  readonly orders: Order[] = [];
  readonly numbers = { interval: 0, timeout: 0 };

  constructor(
    private readonly packages: Packages,
    private readonly queue: TaskQueue,
    private readonly access: FilesAccess,
  ) {}

  @Cron('0 3 * * *', { name: 'orders', disabled: true })
  @WithTaskQueue()
  async takeOrder(): Promise<Package> {
    const { dto, done, undone } = this.orders.shift() as Order;
    this.queue.afterCommit(done);
    this.queue.afterRollback(undone);
    return this.createFrom(dto);
  }

  /** A nested unit: the DTO has to be an argument of a decorated method. */
  @WithTaskQueue()
  async createFrom(dto: PackageDto): Promise<Package> {
    await validateOrReject(dto);
    return this.packages.create(dto);
  }

  @Cron('0 3 * * *', { name: 'as ada', disabled: true })
  async actAsAda(): Promise<void> {
    const { dto, done } = this.orders.shift() as Order;
    await this.access.actAs({ type: 'user', id: 'ada' }, () => this.createFrom(dto));
    done();
  }

  @Interval(5)
  @WithTaskQueue()
  async often(): Promise<Package> {
    const number = ++this.numbers.interval;
    return this.packages.create({ title: `interval ${number}${number === 2 ? ' a task fails' : ''}` });
  }

  @Timeout(5)
  @WithTaskQueue()
  async once(): Promise<Package> {
    return this.packages.create({ title: 'timeout' });
  }
}

const schedule: TransportUnderTest = {
  imports: [ScheduleModule.forRoot({ intervals: false, timeouts: false })],
  providers: [Jobs],
  filesOf: 'nobody',
  start: async (module) => {
    const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
    const jobs = app.get(Jobs);
    const run = (name: string, dto: PackageDto) =>
      new Promise<void>((resolve, reject) => {
        const undone = () => reject(new Error('undone'));
        jobs.orders.push({ dto: plainToInstance(PackageDto, dto), done: resolve, undone });
        void app.get(SchedulerRegistry, { strict: false }).getCronJob(name).fireOnTick();
      });
    return { app, create: (dto, user) => run(user === 'ada' ? 'orders' : user, dto) };
  },
};

await describeTransport('a cron job', schedule);

it('lets a cron job act as the user that it names', async () => {
  const { create, dataSource, titles } = await startTransport(schedule);
  const id = await insertFile(dataSource, { ownerType: 'user', ownerId: 'ada' });
  await create({ title: 'for ada', attachmentId: id }, 'as ada');
  expect(await titles()).toEqual(['for ada']);
  const file = await dataSource.getRepository(ManagedFile).findOneByOrFail({ id });
  expect(file).toMatchObject({ ownerType: 'package', ownerId: '1' });
});

it('opens a unit for each run of an interval or a timeout', async () => {
  const { packages, titles } = await startTransport({ ...schedule, imports: [ScheduleModule.forRoot()] });
  await Promise.all(
    ['interval 1', 'interval 2 a task fails', 'interval 3', 'timeout'].map((title) => packages.ended(title)),
  );
  expect(packages.undone).toEqual(['interval 2 a task fails']);
  expect(await titles()).toEqual(expect.arrayContaining(['interval 1', 'interval 3', 'timeout']));
  expect(await titles()).not.toContain('interval 2 a task fails');
});
