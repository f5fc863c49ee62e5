import { Body, Controller, Delete, Param, ParseUUIDPipe, Patch, Post, UsePipes, ValidationPipe } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { randomUUID } from 'node:crypto';
import { IsOptional } from 'class-validator';
import { DataSource, Repository } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OwnershipTransferTask, TaskQueue, TransferOwnership, WithTaskQueue } from '../../../lib/index.js';
import { FilesInUseError, FilesNotOwnError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Album, Binder, Clause, Page, Ticket, Track } from '../../support/guarded-entities.js';
import { installGuards } from '../../support/install-guards.js';
import { RawSession } from '../../support/raw-session.js';

class TicketDto {
  @IsOptional() @TransferOwnership('ticket') attachmentId?: string | null;
  @IsOptional() @TransferOwnership('ticket') coverId?: string | null;
  @IsOptional() @TransferOwnership('ticket') imageIds?: string[];
}

@Controller('tickets')
@UsePipes(new ValidationPipe())
class TicketsController {
  constructor(
    @InjectRepository(Ticket) private readonly tickets: Repository<Ticket>,
    private readonly dataSource: DataSource,
  ) {}

  @Post()
  @WithTaskQueue()
  create(@Body() dto: TicketDto) {
    return this.tickets.save({ ...dto });
  }

  @Patch(':id')
  @WithTaskQueue()
  update(@Param('id', ParseUUIDPipe) id: string, @Body() dto: TicketDto) {
    return this.tickets.save({ id, ...dto });
  }

  @Delete(':id')
  @WithTaskQueue()
  remove(@Param('id', ParseUUIDPipe) id: string) {
    return this.tickets.delete(id);
  }

  @Patch(':id/raw/:fileId')
  @WithTaskQueue()
  async raw(@Param('id') id: string, @Param('fileId') fileId: string) {
    await this.dataSource.query('UPDATE ticket SET "attachmentId" = $2 WHERE id = $1', [id, fileId]);
  }

  @Delete('raw/:fileId')
  @WithTaskQueue()
  async removeRaw(@Param('fileId') fileId: string) {
    await this.dataSource.query('DELETE FROM files_file WHERE id = $1', [fileId]);
  }
}

const [postgres] = await reachableDatabases('postgres');

describe.skipIf(!postgres)('guards in the database', () => {
  let app: GuardedApp;
  let session: RawSession;
  beforeAll(async () => {
    app = await guardedApp({ database: postgres!, controllers: [TicketsController] });
    await installGuards(app.dataSource);
    session = await RawSession.open(app.dataSource.options);
  });
  afterAll(async () => {
    await session.close();
    await app.close();
  });

  const repository = <T extends object>(entity: new () => T) => app.dataSource.getRepository(entity);
  const uploads = (count: number) => Promise.all(Array.from({ length: count }, () => app.upload()));
  async function made(body: object): Promise<string> {
    const answer = await app.send('POST', '/tickets', body);
    expect(answer.status).toBe(201);
    return String(answer.body['id']);
  }

  describe('let the library', () => {
    it('attach files, and replace them', async () => {
      const [a, b, c, d, e] = (await uploads(5)) as [string, string, string, string, string];
      const id = await made({ attachmentId: a, coverId: b, imageIds: [c, d] });
      expect(await app.ownerOf(d)).toBe(`ticket ${id}*`);

      const { status } = await app.send('PATCH', `/tickets/${id}`, { attachmentId: e, coverId: null, imageIds: [d] });

      expect(status).toBe(200);
      expect(await Promise.all([a, b, c, d, e].map((file) => app.ownerOf(file)))).toEqual([
        undefined,
        '-',
        undefined,
        `ticket ${id}*`,
        `ticket ${id}*`,
      ]);
    });

    it('remove records with their files', async () => {
      const files = await uploads(3);
      const id = await made({ imageIds: files });
      expect((await app.send('DELETE', `/tickets/${id}`)).status).toBe(200);
      expect(await Promise.all(files.map((file) => app.ownerOf(file)))).toEqual([undefined, undefined, undefined]);
    });

    it('keep files of softly deleted records', async () => {
      const [file] = (await uploads(1)) as [string];
      const id = await made({ imageIds: [file] });
      await repository(Ticket).softDelete(id);
      await repository(Ticket).restore(id);
      expect(await app.ownerOf(file)).toBe(`ticket ${id}*`);
    });

    it('move a file between two records that are saved in one unit', async () => {
      const [file] = (await uploads(1)) as [string];
      const [from, to] = [await made({ coverId: file }), await made({})];
      await app.queue.run(async () => {
        await repository(Ticket).update(from, { coverId: null });
        await repository(Ticket).update(to, { coverId: file });
        await app.files.transferOwnership(file, { ownerType: 'ticket', ownerId: to, force: true });
      });
      expect(await app.ownerOf(file)).toBe(`ticket ${to}*`);
    });

    it('let files follow the id of their record', async () => {
      const [file] = (await uploads(1)) as [string];
      const clause = await app.queue.run(async () => {
        const saved = await repository(Clause).save({ number: 41, fileId: file });
        await app.files.transferOwnership(file, { ownerType: 'clause', ownerId: '41', pin: true });
        return saved;
      });
      await repository(Clause).save({ ...clause, number: 42 });
      expect(await app.ownerOf(file)).toBe('clause 42*');
    });

    it('attach files to children, remove orphans, and let parents own', async () => {
      const [one, other, scan] = (await uploads(3)) as [string, string, string];
      const album = await app.queue.run(async (): Promise<Album> => {
        const saved = await repository(Album).save({
          tracks: [
            { name: 'a', fileId: one },
            { name: 'b', fileId: other },
          ],
        });
        for (const { id, fileId } of saved.tracks) {
          app.app.get(TaskQueue).add(new OwnershipTransferTask(String(fileId), 'track', String(id), 'value'));
        }
        return saved as Album;
      });
      await repository(Album).save({ id: album.id, tracks: [] });
      expect(await repository(Track).count()).toBe(0);
      expect(await app.ownerOf(one)).toBeUndefined();

      const binder = await repository(Binder).save({ id: randomUUID() });
      await app.queue.run(async () => {
        await repository(Page).save({ binderId: binder.id, scanId: scan });
        await app.files.transferOwnership(scan, { ownerType: 'binder', ownerId: binder.id });
      });
      await repository(Page).update({ binderId: binder.id }, { scanId: null });
      expect(await app.ownerOf(scan)).toBeUndefined();
    });
  });

  describe('tell the library what they refuse', () => {
    it('report a raw statement that names a foreign file as an error of the client', async () => {
      const id = await made({});
      const file = await app.upload('bob');
      const { status, body } = await app.send('PATCH', `/tickets/${id}/raw/${file}`);
      expect([status, body['code']]).toEqual([400, 'FILES_NOT_OWN']);
      expect(await app.ownerOf(file)).toBe('user bob');
    });

    it('report a raw statement that deletes a file in use as a conflict', async () => {
      const [file] = (await uploads(1)) as [string];
      await made({ coverId: file });
      const { status, body } = await app.send('DELETE', `/tickets/raw/${file}`);
      expect([status, body['code']]).toEqual([409, 'FILES_IN_USE']);
    });

    it('report the record, its field and the file', async () => {
      const [file] = (await uploads(1)) as [string];
      const id = await made({ coverId: file });
      const naming = app.queue.run(() =>
        app.dataSource.query(`UPDATE ticket SET "imageIds" = '["x","y"]' WHERE id = '${id}'`),
      );
      await expect(naming).rejects.toMatchObject({
        entityName: 'Ticket',
        ownerId: id,
        field: 'imageIds',
        fileIds: ['x', 'y'],
        cause: { driverError: { code: '23514' } },
      });
      const taking = app.queue.run(() => app.dataSource.query(`DELETE FROM files_file WHERE id = '${file}'`));
      await expect(taking).rejects.toMatchObject({
        fileIds: [file],
        use: { ownerType: 'ticket', ownerId: id, field: 'coverId' },
      });
    });

    it('report a refusal also in a transaction of the application that saves records', async () => {
      const file = await app.upload('bob');
      const id = await made({});
      const { dataSource } = app;
      const saved = dataSource.transaction(async (manager) => {
        await manager.update(Ticket, id, { coverId: null });
        await manager.query(`UPDATE ticket SET "coverId" = '${file}' WHERE id = '${id}'`);
      });
      await expect(saved).rejects.toThrow(FilesNotOwnError);
      expect(await dataSource.getRepository(Ticket).findOneByOrFail({ id })).toMatchObject({ coverId: null });
    });

    it('run the effects of a rollback, since nothing was saved', async () => {
      const file = await app.upload('bob');
      const heard: string[] = [];
      const unit = app.queue.run(async () => {
        app.queue.afterCommit(() => heard.push('commit'));
        app.queue.afterRollback(() => heard.push('rollback'));
        await app.dataSource.query(`INSERT INTO ticket ("coverId", version) VALUES ('${file}', 1)`);
      });
      await expect(unit).rejects.toThrow(FilesNotOwnError);
      expect(heard).toEqual(['rollback']);
    });
  });

  it('keep another session from taking a file while a record that keeps it is saved', async () => {
    const [file] = (await uploads(1)) as [string];
    const id = await made({ coverId: file });
    await session.query('BEGIN');
    await session.query('DELETE FROM files_file WHERE id = $1', [file]);
    const { status } = await app.send('PATCH', `/tickets/${id}`, { imageIds: [] });
    expect(status).toBe(200);
    await expect(session.query('COMMIT')).rejects.toThrow('still names');
    expect(await app.ownerOf(file)).toBe(`ticket ${id}*`);
    await expect(app.files.delete(file, { force: true })).rejects.toThrow(FilesInUseError);
  });
});
