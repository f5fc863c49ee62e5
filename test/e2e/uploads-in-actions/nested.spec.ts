import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Body, Controller, Inject, Injectable, Post } from '@nestjs/common';
import { validateOrReject } from 'class-validator';
import { DataSource } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { UnitEndedError } from '../../../lib/errors/units.errors.js';
import { FileStaging } from '../../../lib/staging/file-staging.js';
import { UploadAndAttachTask } from '../../../lib/staging/upload-and-attach.task.js';
import { TaskQueue } from '../../../lib/task-queue/task-queue.js';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { actionApp, actionForm, Gallery, GalleryDto, textFile } from '../../support/action-app.js';
import type { ActionApp } from '../../support/action-app.js';

/** What a service of the application does with the DTO, in a unit of work of its own. */
@Injectable()
class Galleries {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  @WithTaskQueue()
  async save(dto: GalleryDto): Promise<Gallery> {
    await validateOrReject(dto);
    const galleries = this.dataSource.getRepository(Gallery);
    return galleries.save(galleries.create(dto));
  }
}

@Controller('nested')
class NestedController {
  constructor(
    @Inject(Galleries) private readonly galleries: Galleries,
    @Inject(TaskQueue) private readonly queue: TaskQueue,
    @Inject(DataSource) private readonly dataSource: DataSource,
  ) {}

  @Post()
  @WithTaskQueue()
  save(@Body() dto: GalleryDto) {
    return this.galleries.save(dto);
  }

  @Post('caught')
  @WithTaskQueue()
  async caught(@Body() dto: GalleryDto) {
    const attempt = this.queue.run(async () => {
      const saved = await this.galleries.save(dto);
      throw new Error(`gallery ${saved.id} is undone`);
    });
    await attempt.catch(() => undefined);
    const galleries = this.dataSource.getRepository(Gallery);
    return galleries.save(galleries.create({ ...dto, title: 'The second' } as Gallery));
  }
}

const nestedApp = (): Promise<ActionApp> => actionApp({ controllers: [NestedController], providers: [Galleries] });

const form = (): FormData =>
  actionForm([
    ['title', 'Sea'],
    ['coverId', textFile('waves')],
    ['poster', textFile('poster')],
    ['images', textFile('one')],
  ]);

describe('a form whose DTO a nested unit of work validates too', () => {
  it('has its files attached once', async () => {
    const app = await nestedApp();
    const { status, body } = await app.send('/nested', form());
    expect(status, JSON.stringify(body)).toBe(201);
    expect(await app.counts()).toEqual({ galleries: 1, files: 3, intents: 0, stored: 3 });
    const files = await app.files();
    expect(files.map(({ ownerId }) => ownerId)).toEqual(['1', '1', '1']);
    expect(body).toMatchObject({ coverId: files[0]?.id, posterUrl: `/files/${files[1]?.id}/content` });
  });

  it('keeps its files where the nested unit is undone, and the handler goes on', async () => {
    const app = await nestedApp();
    const { status, body } = await app.send('/nested/caught', form());
    expect(status, JSON.stringify(body)).toBe(201);
    expect(await app.counts()).toEqual({ galleries: 1, files: 3, intents: 0, stored: 3 });
    const content = await app.fetch(`/files/${String(body['coverId'])}/content`, { user: 'admin' });
    expect({ status: content.status, text: await content.text() }).toEqual({ status: 200, text: 'waves' });
  });
});

describe('a file that is staged by hand', () => {
  it('stays where the nested unit that attached it was undone, and another one attached it then', async () => {
    const app = await nestedApp();
    const [queue, staging] = [app.app.get(TaskQueue), app.app.get(FileStaging)];
    const galleries = app.dataSource.getRepository(Gallery);
    await queue.run(async () => {
      const staged = await staging.stage(Buffer.from('waves'), { name: 'waves.txt' });
      const attach = () =>
        queue.run(() => {
          queue.add(new UploadAndAttachTask(staged, 'gallery', { field: 'coverId' }));
          return galleries.save({ title: 'Sea' });
        });
      await queue
        .run(async () => {
          await attach();
          throw new Error('undone');
        })
        .catch(() => undefined);
      await attach();
    });
    expect(await app.counts()).toEqual({ galleries: 1, files: 1, intents: 0, stored: 1 });
  });

  it('may be in two fields of its owner, whatever is queued in between', async () => {
    const app = await nestedApp();
    const [queue, staging] = [app.app.get(TaskQueue), app.app.get(FileStaging)];
    const galleries = app.dataSource.getRepository(Gallery);
    await queue.run(async () => {
      const staged = await staging.stage(Buffer.from('waves'), { name: 'waves.txt' });
      queue.add(new UploadAndAttachTask(staged, 'gallery', { field: 'coverId' }));
      queue.add(() => undefined);
      queue.add(new UploadAndAttachTask(staged, 'gallery', { field: 'posterUrl', attachAs: 'permanentLink' }));
      return galleries.save({ title: 'Sea' });
    });
    const [file] = await app.files();
    expect(await galleries.findOneBy({ id: 1 })).toMatchObject({
      coverId: file?.id,
      posterUrl: `/files/${file?.id}/content`,
    });
    expect(await app.counts()).toEqual({ galleries: 1, files: 1, intents: 0, stored: 1 });
  });

  it('goes where the only unit that attached it was undone', async () => {
    const app = await nestedApp();
    const [queue, staging] = [app.app.get(TaskQueue), app.app.get(FileStaging)];
    await queue.run(async () => {
      const staged = await staging.stage(Buffer.from('waves'), { name: 'waves.txt' });
      const nested = queue.run(async () => {
        queue.add(new UploadAndAttachTask(staged, 'gallery'));
        queue.add(() => {
          throw new Error('undone');
        });
        return app.dataSource.getRepository(Gallery).save({ title: 'Sea' });
      });
      await nested.catch(() => undefined);
      expect(staged.isAttached).toBe(false);
    });
    expect(await app.counts()).toEqual({ galleries: 0, files: 0, intents: 0, stored: 0 });
  });

  it('is refused, and nothing is stored, where its stream was read before', async () => {
    const app = await nestedApp();
    const content = new PassThrough();
    content.end('waves');
    await text(content);
    const staged = app.app.get(FileStaging).stage(content, { name: 'waves.txt' });
    await expect(staged).rejects.toMatchObject({ code: 'FILES_CONTENT_SPENT' });
    expect(await app.counts()).toEqual({ galleries: 0, files: 0, intents: 0, stored: 0 });
  });

  it('goes where the unit has ended before all of it was there', async () => {
    const app = await nestedApp();
    const [queue, staging] = [app.app.get(TaskQueue), app.app.get(FileStaging)];
    const content = new PassThrough();
    let staged: Promise<unknown> | undefined;
    const unit = queue.run(() => {
      staged = staging.stage(content, { name: 'waves.txt' });
      throw new Error('undone');
    });
    await expect(unit).rejects.toThrow('undone');
    content.end('waves');
    await expect(staged).rejects.toThrow(UnitEndedError);
    expect(await app.counts()).toEqual({ galleries: 0, files: 0, intents: 0, stored: 0 });
  });
});
