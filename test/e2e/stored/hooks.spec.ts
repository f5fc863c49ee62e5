import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { tracingChannel } from 'node:diagnostics_channel';
import { Injectable, Scope } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { FilesService, ManagedFile, TaskQueue } from 'nestjs-files';
import { DirectUploads } from 'nestjs-files/uploads';
import { FILES_CHANNELS } from 'nestjs-files/diagnostics';
import { FileRefusedError } from 'nestjs-files/errors';
import { OnFileStored } from 'nestjs-files/hooks';
import type { StoringContext } from 'nestjs-files/hooks';
import { Column, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import { expect, it, onTestFinished } from 'vitest';
import { ByteRemovals } from '../../../lib/files/content/byte-removals.js';
import { FileIntent } from '../../../lib/files/intents/file-intent.entity.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { FilesModule } from '../../../lib/files.module.js';
import { FileJob } from '../../../lib/jobs/file-job.decorator.js';
import { actionApp, actionForm, textFile } from '../../support/action-app.js';
import { IN_MEMORY } from '../../support/databases.js';
import { directStorage } from '../../support/direct-storage.js';
import { formWith, startApp, uploadFile } from '../../support/http-app.js';

@Entity('stored_note')
class StoredNote {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') text!: string;
}

/** Notes each file in the transaction of its row, and queues a job for it; what it does then a test says. */
@Injectable()
class Notes {
  refusal: Error | undefined;
  readonly told: string[] = [];
  readonly jobs: string[] = [];

  constructor(
    @InjectRepository(StoredNote) private readonly notes: Repository<StoredNote>,
    @InjectRepository(ManagedFile) private readonly rows: Repository<ManagedFile>,
    private readonly queue: TaskQueue,
  ) {}

  @OnFileStored()
  async note(file: ManagedFile, { operation }: StoringContext): Promise<void> {
    const { hash } = await this.rows.findOneByOrFail({ id: file.id });
    this.told.push(`${operation} ${file.name} ${hash === file.hash}`);
    await this.notes.insert({ text: file.name });
    this.queue.enqueue('noted', file.name);
    file.name = 'changed by the hook';
    if (this.refusal) throw this.refusal;
  }

  @FileJob('noted')
  run(name: string): void {
    this.jobs.push(name);
  }
}

const refusal = new FileRefusedError('We have enough of these.');

async function world() {
  const direct = directStorage({ partSize: 100 });
  const memory = memoryStorage();
  const app = await startApp({
    imports: [TypeOrmModule.forFeature([StoredNote, ManagedFile])],
    providers: [Notes],
    options: { storages: { default: memory, direct: direct.storage } },
  });
  const { dataSource } = app;
  const uploads = app.app.get(DirectUploads);
  return {
    ...app,
    direct,
    memory,
    uploads,
    files: app.app.get(FilesService),
    hooks: app.app.get(Notes),
    notes: async () => (await dataSource.getRepository(StoredNote).find()).map((note) => note.text),
    rows: () => dataSource.getRepository(ManagedFile).count(),
    /** Where the default storage has bytes, once what was given up is removed. */
    kept: async () => {
      await app.app.get(ByteRemovals).idle();
      const found: string[] = [];
      for await (const { location } of memory.list()) found.push(location);
      return found;
    },
    intents: () => dataSource.getRepository(FileIntent).count(),
    /** Begins a direct upload and sends its bytes. */
    sent: async (content: string) => {
      const { id } = await uploads.begin({ name: 'direct.txt', size: content.length, storage: 'direct' });
      const [part] = await uploads.signParts(id, [1]);
      direct.send(part!.url, content);
      return id;
    },
  };
}

it('is called for files that are created, uploaded, registered, replaced, copied and sent directly, after their row', async () => {
  const app = await world();
  const { files, hooks, memory } = app;
  const { id } = await files.create(Buffer.from('one'), { name: 'one.txt' });
  await uploadFile(app, 'anna', formWith('two', 'two.txt'));
  await memory.write('there', Readable.from([Buffer.from('three')]));
  await files.register('there', { name: 'three.txt' });
  await files.replace(id, Buffer.from('another'));
  await files.copy(id, { name: 'copy.txt' });
  await app.uploads.complete(await app.sent('direct'));
  expect(hooks.told).toEqual([
    'create one.txt true',
    'create two.txt true',
    'register three.txt true',
    'replace one.txt true',
    'copy copy.txt true',
    'direct direct.txt true',
  ]);
  expect(await app.notes()).toHaveLength(6);
  await expect.poll(() => hooks.jobs.length).toBe(6);
  expect((await files.findOrFail(id)).name).toBe('one.txt');
});

it('is not called for a move, which brings no new content', async () => {
  const { files, hooks } = await world();
  const { id } = await files.create(Buffer.from('one'), { name: 'one.txt' });
  await files.move(id, 'direct');
  expect(hooks.told).toEqual(['create one.txt true']);
});

it('refuses an upload with 422, and saves neither the file nor its rows nor its job', async () => {
  const app = await world();
  app.hooks.refusal = refusal;
  const response = await app.fetch('/files', { method: 'POST', user: 'anna', body: formWith('x') });
  expect(response.status).toBe(422);
  expect(await response.json()).toMatchObject({ code: 'FILES_FILE_REFUSED', message: 'We have enough of these.' });
  expect([await app.rows(), await app.intents(), await app.notes()]).toEqual([0, 0, []]);
  expect(await app.dataSource.query('SELECT id FROM files_job')).toEqual([]);
  expect(await app.kept()).toEqual([]);
});

it('refuses new content, and leaves the file with its old content', async () => {
  const { files, hooks, notes, kept } = await world();
  const { id, hash } = await files.create(Buffer.from('old'), { name: 'a.txt' });
  hooks.refusal = refusal;
  await expect(files.replace(id, Buffer.from('new'))).rejects.toBe(refusal);
  expect((await files.findOrFail(id)).hash).toBe(hash);
  expect(hash).toBe(createHash('sha256').update('old').digest('hex'));
  expect(await notes()).toEqual(['a.txt']);
  expect(await kept()).toHaveLength(1);
});

it('undoes all files that are created together if one of them is refused', async () => {
  const app = await world();
  app.hooks.refusal = refusal;
  const all = (async function* () {
    for (const name of ['a.txt', 'b.txt']) yield { name, content: Buffer.from(name) };
  })();
  await expect(app.files.createAll(all)).rejects.toBe(refusal);
  expect([await app.rows(), await app.intents()]).toEqual([0, 0]);
});

it('ends a direct upload that is refused, and removes its bytes', async () => {
  const app = await world();
  const id = await app.sent('direct');
  app.hooks.refusal = refusal;
  await expect(app.uploads.complete(id)).rejects.toBe(refusal);
  app.hooks.refusal = undefined;
  await expect(app.uploads.complete(id)).rejects.toMatchObject({ code: 'FILES_UPLOAD_NOT_FOUND' });
  await expect.poll(() => app.direct.locations()).toEqual([]);
  expect(await app.rows()).toBe(0);
});

it('leaves a direct upload open if a hook fails for another reason', async () => {
  const app = await world();
  const id = await app.sent('direct');
  app.hooks.refusal = new Error('the index is away');
  await expect(app.uploads.complete(id)).rejects.toThrow('the index is away');
  app.hooks.refusal = undefined;
  expect((await app.uploads.complete(id)).id).toBe(id);
});

it('is called for files of a form once their record is saved, and undoes the record if it refuses', async () => {
  const app = await actionApp({ entities: [StoredNote, ManagedFile], providers: [Notes] });
  const hooks = app.app.get(Notes);
  const form = () =>
    actionForm([
      ['title', 'One'],
      ['coverId', textFile('cover')],
    ]);
  expect((await app.send('/galleries', form())).status).toBe(201);
  expect(hooks.told).toEqual(['attach cover.txt true']);
  hooks.refusal = refusal;
  const refused = await app.send('/galleries', form());
  expect(refused).toMatchObject({ status: 422, body: { code: 'FILES_FILE_REFUSED' } });
  expect(await app.counts()).toEqual({ galleries: 1, files: 1, intents: 0, stored: 1 });
  expect(await app.dataSource.getRepository(StoredNote).count()).toBe(1);
});

it('calls the option before the methods', async () => {
  const called: string[] = [];
  @Injectable()
  class Method {
    @OnFileStored()
    tell(): void {
      called.push('method');
    }
  }
  const app = await startApp({
    providers: [Method],
    options: { onStored: (_file, { operation }) => void called.push(operation) },
  });
  await app.app.get(FilesService).create(Buffer.from('x'), { name: 'x.txt' });
  expect(called).toEqual(['create', 'method']);
});

it('is refused at boot on a provider that is made for each request', async () => {
  @Injectable({ scope: Scope.REQUEST })
  class PerRequest {
    @OnFileStored()
    tell(): void {}
  }
  const testing = Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot({ ...IN_MEMORY, autoLoadEntities: true, synchronize: true }),
      FilesModule.forRoot({ storages: { default: memoryStorage() } }),
    ],
    providers: [PerRequest],
  });
  const module = await testing.compile();
  onTestFinished(() => module.close());
  await expect(module.init()).rejects.toThrow('@OnFileStored() on PerRequest.tell');
});

it('traces the creation of a file by its id', async () => {
  const { files } = await world();
  const traced: unknown[] = [];
  const channel = tracingChannel(FILES_CHANNELS.upload);
  const subscriber = { start: ({ fileId }: never) => void traced.push(fileId) };
  channel.subscribe(subscriber as never);
  onTestFinished(() => channel.unsubscribe(subscriber as never));
  const { id } = await files.create(Buffer.from('one'), { name: 'one.txt' });
  expect(traced).toEqual([id]);
});
