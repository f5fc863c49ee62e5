import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { FilesModule, FilesService, ManagedFile, OwnershipTransferTask, TaskQueue, WithTaskQueue } from 'nestjs-files';
import { FileTransfer } from 'nestjs-files/entities';
import { StorageFailedError } from 'nestjs-files/errors';
import * as testing from 'nestjs-files/testing';
import { describeStorage, faultyStorage, memoryStorage, testTaskQueue } from 'nestjs-files/testing';
import { readFile } from 'node:fs/promises';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { Repository } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { examplesNotRun } from '../../support/doc-examples.js';

@Entity()
class Package {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar') title!: string;
}

@Injectable()
class Mailer {
  announce(_title: string): unknown {
    return undefined;
  }
}

@Injectable()
class Importer {
  constructor(
    private readonly queue: TaskQueue,
    @InjectRepository(Package) private readonly packages: Repository<Package>,
    private readonly mailer: Mailer,
  ) {}

  @WithTaskQueue()
  async importOne(title: string, file: string): Promise<Package> {
    this.queue.add(new OwnershipTransferTask(file, 'package', 'id'));
    this.queue.afterCommit(() => this.mailer.announce(title));
    return this.packages.save({ title });
  }
}

const fileId = '0199c0de-0000-7000-8000-000000000001';

it('runs the examples of docs/testing.md', async () => {
  expect(await examplesNotRun('testing.md', import.meta.url)).toEqual([]);
});

it('has every export of nestjs-files/testing on its page', async () => {
  const page = await readFile(new URL('../../../docs/testing.md', import.meta.url), 'utf8');
  expect(Object.keys(testing).filter((name) => !page.includes(`\`${name}`))).toEqual([]);
});

describe('a service alone', () => {
  it('announces the imported records', async () => {
    const queue = testTaskQueue();
    const packages = { save: async (row: object) => ({ id: '7', ...row }) };
    const mailer = { sent: [] as string[], announce: (title: string) => mailer.sent.push(title) };
    const importer = queue.serve(new Importer(queue, packages as unknown as Repository<Package>, mailer));

    await importer.importOne('report', fileId);

    expect(mailer.sent).toEqual(['report']);
    expect(queue.tasks).toEqual([new OwnershipTransferTask(fileId, 'package', 'id')]);
  });

  it('runs in a testing module with mocks', async () => {
    const mailer = { sent: [] as string[], announce: (title: string) => mailer.sent.push(title) };
    const queue = testTaskQueue();
    const module = await Test.createTestingModule({ providers: [Importer, { provide: Mailer, useValue: mailer }] })
      .useMocker((token) => (token === TaskQueue ? queue : { save: async (row: object) => row }))
      .compile();
    await module.get(Importer).importOne('report', fileId);
    expect(mailer.sent).toEqual(['report']);
    expect(queue.tasks).toHaveLength(1);
    await module.close();
  });
});

it('runs with a database, and a storage that fails', async () => {
  const storage = faultyStorage(memoryStorage());
  const module = await Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot({
        type: 'better-sqlite3',
        database: ':memory:',
        autoLoadEntities: true,
        synchronize: true,
      }),
      TypeOrmModule.forFeature([Package]),
      FilesModule.forRoot({ storages: { default: storage }, http: false }),
    ],
    providers: [Importer, Mailer],
  }).compile();
  await module.init();
  const files = module.get(FilesService);
  const owner = { type: 'user', id: 'ada' };
  const file = await files.create(Buffer.from('%PDF-1.7'), { name: 'report.pdf', owner });
  const saved = await module.get(Importer).importOne('report', file.id);

  expect(await files.findMany([file.id])).toMatchObject([{ ownerType: 'package', ownerId: saved.id, pinned: true }]);
  const history = module.get(DataSource).getRepository(FileTransfer);
  expect(await history.findBy({ fileId: file.id, action: 'transfer' })).toMatchObject([
    { fromId: 'ada', toId: saved.id },
  ]);

  storage.failAt(1, 'before');
  await expect(files.create(Buffer.from('lost'), { name: 'lost.txt' })).rejects.toThrow(StorageFailedError);
  expect(await module.get(DataSource).getRepository(ManagedFile).count()).toBe(1);
  storage.heal();
  await module.close();
});

describeStorage('memory', (limits) => memoryStorage(limits), { describe, it });
