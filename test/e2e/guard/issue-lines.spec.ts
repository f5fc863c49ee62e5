import { randomUUID } from 'node:crypto';
import { Body, Controller, Param, ParseIntPipe, Patch, Post, Put, UsePipes, ValidationPipe } from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { PartialType } from '@nestjs/mapped-types';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, IsUUID, ValidateIf, ValidateNested } from 'class-validator';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AcceptFileType,
  OwnershipTransferTask,
  TaskQueue,
  TransferOwnership,
  WithTaskQueue,
} from '../../../lib/index.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Album, Binder, Clause, Letter, Page, Room, Ticket, Track } from '../../support/guarded-entities.js';
import { PLATFORMS } from '../../support/http-app.js';

class TicketDto {
  @IsOptional() @IsString() title?: string;
  @IsOptional() @TransferOwnership('ticket') attachmentId?: string | null;
  @IsOptional() @TransferOwnership('ticket') coverId?: string | null;
  @IsOptional() @TransferOwnership('ticket', {}, { each: true }) imageIds?: string[];
}
class RedeclaredDto extends TicketDto {
  @IsUUID() declare attachmentId: string;
}
class TypedDto extends TicketDto {
  @AcceptFileType('text') declare attachmentId: string;
}
class PartialDto extends PartialType(TicketDto) {
  @IsOptional() @IsUUID() declare attachmentId?: string;
}
class UntypedDto {
  @ValidateNested() ticket!: TicketDto;
}
class UnnestedDto {
  @Type(() => TicketDto) ticket!: TicketDto;
}
class SilentDto {
  @ValidateIf(() => false) @TransferOwnership('ticket') attachmentId!: string;
}
class GroupedDto {
  @TransferOwnership('ticket', {}, { groups: ['strict'] }) attachmentId!: string;
}
class TrackDto {
  @IsOptional() @IsString() name?: string;
  @TransferOwnership('track') fileId!: string;
}
class TracksDto {
  @ValidateNested({ each: true }) @Type(() => TrackDto) tracks!: TrackDto[];
}
class ClauseDto {
  @IsOptional() @IsInt() number?: number;
  @IsOptional() @TransferOwnership('clause') fileId?: string;
}
class RoomDto {
  @IsString() id!: string;
  @IsOptional() @TransferOwnership('room', { allowUnowned: false }) planId?: string;
}
class LetterDto {
  @IsOptional() @TransferOwnership('letter') attachmentId?: string | null;
}

type Body_ = Record<string, unknown>;

@Controller()
class Desk {
  constructor(
    private readonly dataSource: DataSource,
    private readonly queue: TaskQueue,
  ) {}

  get #tickets() {
    return this.dataSource.getRepository(Ticket);
  }

  @Post('tickets') @WithTaskQueue() create(@Body() dto: TicketDto) {
    return this.#tickets.save({ ...dto });
  }
  @Patch('tickets/:id') @WithTaskQueue() update(@Param('id') id: string, @Body() dto: TicketDto) {
    return this.#tickets.save({ ...dto, id });
  }
  @Post('redeclared') @WithTaskQueue() redeclared(@Body() dto: RedeclaredDto) {
    return this.#tickets.save({ ...dto });
  }
  @Post('typed') @WithTaskQueue() typed(@Body() dto: TypedDto) {
    return this.#tickets.save({ ...dto });
  }
  @Post('partial') @WithTaskQueue() partial(@Body() dto: PartialDto) {
    return this.#tickets.save({ ...dto });
  }
  @Post('list') @WithTaskQueue() list(@Body() dtos: TicketDto[]) {
    return this.#tickets.save(dtos.map((dto) => ({ ...dto })));
  }
  @Post('untyped') @WithTaskQueue() untyped(@Body() dto: UntypedDto) {
    return this.#tickets.save({ ...dto.ticket });
  }
  @Post('unnested') @WithTaskQueue() unnested(@Body() dto: UnnestedDto) {
    return this.#tickets.save({ ...dto.ticket });
  }
  @Post('silent') @WithTaskQueue() silent(@Body() dto: SilentDto) {
    return this.#tickets.save({ ...dto });
  }
  @Post('grouped')
  @UsePipes(new ValidationPipe({ groups: ['other'] }))
  @WithTaskQueue()
  grouped(@Body() dto: GroupedDto) {
    return this.#tickets.save({ ...dto });
  }
  @Post('unvalidated') @WithTaskQueue() unvalidated(@Body() dto: object) {
    return this.#tickets.save({ ...dto });
  }
  @Post('undecorated') undecorated(@Body() dto: object) {
    return this.#tickets.save({ ...dto });
  }

  @Post('albums/:id/track-of') @WithTaskQueue() async trackOf(
    @Param('id', ParseIntPipe) id: number,
    @Body() dto: TrackDto,
  ) {
    await this.dataSource.getRepository(Track).save({ ...dto, album: { id } });
    return this.dataSource.getRepository(Album).findOneByOrFail({ id });
  }
  @Post('tracks') @WithTaskQueue() async track(@Body() dto: TrackDto) {
    await this.dataSource.getRepository(Track).insert({ ...dto });
    return { status: 'saved' };
  }
  @Post('tracks/twice') @WithTaskQueue() async twice(@Body() dto: TrackDto) {
    const tracks = this.dataSource.getRepository(Track);
    return tracks.save([{ ...dto }, { ...dto }]);
  }
  @Post('tracks/bound') @WithTaskQueue() async bound(@Body() dto: TrackDto) {
    const tracks = this.dataSource.getRepository(Track);
    const [, other] = await tracks.save([{ ...dto }, { name: 'other' }]);
    this.queue.bind(dto, other as Track);
    return {};
  }
  @Post('forgetful') @WithTaskQueue() forgetful(@Body() dto: TrackDto) {
    return this.dataSource.getRepository(Track).save({ name: dto.name ?? 'no file' });
  }
  @Put('albums/:id/tracks') @WithTaskQueue() async tracks(
    @Param('id', ParseIntPipe) id: number,
    @Body() dto: TracksDto,
  ) {
    return this.dataSource.getRepository(Album).save({ id, tracks: dto.tracks.map((track) => ({ ...track })) });
  }
  @Patch('letters/:id') @WithTaskQueue() async letter(@Param('id', ParseIntPipe) id: number, @Body() dto: LetterDto) {
    const letters = this.dataSource.getRepository(Letter);
    const letter = await letters.findOneOrFail({ where: { id }, relations: { attachment: true } });
    return letters.save(Object.assign(letter, dto));
  }
  @Patch('letters/:id/merged') @WithTaskQueue() async merged(
    @Param('id', ParseIntPipe) id: number,
    @Body() dto: LetterDto,
  ) {
    const letters = this.dataSource.getRepository(Letter);
    const letter = await letters.findOneOrFail({ where: { id }, relations: { attachment: true } });
    return letters.save(letters.merge(letter, dto));
  }
  @Patch('clauses/:key') @WithTaskQueue() async clause(
    @Param('key', ParseIntPipe) key: number,
    @Body() dto: ClauseDto,
  ) {
    const clauses = this.dataSource.getRepository(Clause);
    return clauses.save({ ...(await clauses.findOneByOrFail({ key })), ...dto });
  }
  @Post('rooms') @WithTaskQueue() room(@Body() dto: RoomDto) {
    return this.dataSource.getRepository(Room).insert({ ...dto });
  }
}

const databases = await reachableDatabases('memory', 'postgres', 'mariadb');
const cases = databases.flatMap((database) =>
  PLATFORMS.map((platform) => ({ name: database.name, database, platform })),
);

describe.each(cases)('The guard on $name, $platform', ({ database, platform }) => {
  let app: GuardedApp;
  beforeAll(async () => {
    const prepare = (nest: INestApplication) => void nest.useGlobalPipes(new ValidationPipe({ transform: true }));
    app = await guardedApp({ database, platform, controllers: [Desk], prepare });
  });
  afterAll(() => app.close());

  const tickets = () => app.dataSource.getRepository(Ticket);
  const tracks = () => app.dataSource.getRepository(Track);
  async function ticketWith(body: Body_): Promise<string> {
    const { status, body: saved } = await app.send('POST', '/tickets', body);
    expect(saved).toMatchObject({ id: expect.any(String) as string });
    expect(status).toBe(201);
    return saved['id'] as string;
  }

  describe('refuses a record that names a foreign file', () => {
    const bodies: [string, (id: string) => unknown][] = [
      ['redeclared', (id) => ({ attachmentId: id })],
      ['typed', (id) => ({ attachmentId: id })],
      ['partial', (id) => ({ attachmentId: id })],
      ['list', (id) => [{ attachmentId: id }]],
      ['untyped', (id) => ({ ticket: { attachmentId: id } })],
      ['unnested', (id) => ({ ticket: { attachmentId: id } })],
      ['silent', (id) => ({ attachmentId: id })],
      ['grouped', (id) => ({ attachmentId: id })],
      ['unvalidated', (id) => ({ attachmentId: id })],
      ['undecorated', (id) => ({ attachmentId: id })],
    ];
    it.each(bodies)('refuses POST /%s with 400', async (path, body) => {
      const file = await app.upload('bob');
      const count = await tickets().count();
      const answer = await app.send('POST', `/${path}`, body(file));
      expect(answer).toMatchObject({ status: 400 });
      expect(JSON.stringify(answer.body)).toMatch(/attachmentId/);
      expect(await tickets().count()).toBe(count);
      expect(await app.ownerOf(file)).toBe('user bob');
      const missing = await app.send('POST', `/${path}`, body('0199c0de-0000-7000-8000-0000000000ff'));
      expect(JSON.stringify(missing.body).replaceAll(/[0-9a-f-]{36}/g, '')).toBe(
        JSON.stringify(answer.body).replaceAll(/[0-9a-f-]{36}/g, ''),
      );
    });
  });

  it('gives a file to the track that names it when the handler returns the album', async () => {
    const { id: albumId } = await app.dataSource.getRepository(Album).save({});
    const file = await app.upload();
    expect(await app.send('POST', `/albums/${albumId}/track-of`, { fileId: file })).toMatchObject({ status: 201 });
    const track = await tracks().findOneByOrFail({ fileId: file });
    expect(await app.ownerOf(file)).toBe(`track ${track.id}*`);
  });

  it('gives a file to the track that names it when the handler returns no record', async () => {
    const file = await app.upload();
    expect(await app.send('POST', '/tracks', { fileId: file })).toMatchObject({ status: 201 });
    const track = await tracks().findOneByOrFail({ fileId: file });
    expect(await app.ownerOf(file)).toBe(`track ${track.id}*`);
  });

  it('answers 422 where two rows name a file', async () => {
    const file = await app.upload();
    expect(await app.send('POST', '/tracks/twice', { fileId: file })).toMatchObject({ status: 422 });
    expect(await tracks().countBy({ fileId: file })).toBe(0);
  });

  it('refuses a bound record that does not name the file', async () => {
    const file = await app.upload();
    const { status, body } = await app.send('POST', '/tracks/bound', { fileId: file });
    expect([status, body['code']]).toEqual([500, 'FILES_NOT_NAMED']);
    expect(await app.ownerOf(file)).toBe('user ada');
  });

  it('refuses a handler that does not save the field', async () => {
    const file = await app.upload();
    const { status, body } = await app.send('POST', '/forgetful', { name: 'forgetful', fileId: file });
    expect([status, body['code']]).toEqual([500, 'FILES_NOT_NAMED']);
    expect(await tracks().countBy({ name: 'forgetful' })).toBe(0);
    expect(await app.ownerOf(file)).toBe('user ada');
  });

  it('keeps a file that another field of the row still names', async () => {
    const [a, b] = [await app.upload(), await app.upload()];
    const id = await ticketWith({ imageIds: [a, b] });
    expect(await app.send('PATCH', `/tickets/${id}`, { attachmentId: a })).toMatchObject({ status: 200 });
    expect(await app.send('PATCH', `/tickets/${id}`, { attachmentId: b })).toMatchObject({ status: 200 });
    expect(await app.ownerOf(a)).toBe(`ticket ${id}*`);
    expect(await app.send('PATCH', `/tickets/${id}`, { imageIds: [b] })).toMatchObject({ status: 200 });
    expect(await app.ownerOf(a)).toBeUndefined();
  });

  it('deletes or releases the file that a field let go of, as the field says', async () => {
    const [attachment, cover] = [await app.upload(), await app.upload()];
    const id = await ticketWith({ attachmentId: attachment, coverId: cover });
    expect(await app.send('PATCH', `/tickets/${id}`, { attachmentId: null, coverId: null })).toMatchObject({
      status: 200,
    });
    expect(await app.ownerOf(attachment)).toBeUndefined();
    expect(await app.ownerOf(cover)).toBe('-');
    expect(await app.historyOf(cover)).toEqual(['create', 'transfer', 'release']);
  });

  it('lets go of files however they came to the row', async () => {
    const { id } = await tickets().save({ title: 'empty' });
    const byTask = await app.fileOf('user', 'ada', false);
    await app.queue.run(async () => {
      app.queue.add(new OwnershipTransferTask(byTask, 'ticket', id, 'value'));
      await tickets().update(id, { attachmentId: byTask });
    });
    const byService = await app.fileOf('ticket', id);
    await app.send('PATCH', `/tickets/${id}`, { attachmentId: byService });
    expect(await app.ownerOf(byTask)).toBeUndefined();
    await tickets().update(id, { attachmentId: null });
    expect(await app.ownerOf(byService)).toBeUndefined();
  });

  it('leaves files alone that the row never named', async () => {
    const { id } = await tickets().save({ title: 'owner' });
    const other = await app.fileOf('ticket', id);
    const file = await app.upload();
    await app.send('PATCH', `/tickets/${id}`, { attachmentId: file });
    await app.send('PATCH', `/tickets/${id}`, { attachmentId: null });
    expect(await app.ownerOf(other)).toBe(`ticket ${id}*`);
  });

  it('keeps a file in use from deletion over HTTP, pinned or not', async () => {
    const file = await app.upload();
    const id = await ticketWith({ attachmentId: file });
    expect(await app.send('DELETE', `/files/${file}/pin`, undefined, 'admin')).toMatchObject({
      status: expect.any(Number) as number,
    });
    const { status, body } = await app.send('DELETE', `/files/${file}`, undefined, 'admin');
    expect([status, body['code']]).toEqual([409, 'FILES_IN_USE']);
    expect(await app.ownerOf(file)).toContain(`ticket ${id}`);
    await expect(app.files.delete(file, { force: true })).rejects.toThrow(/still names/);
    await expect(app.files.transferOwnership(file, { ownerType: 'user', ownerId: 'bob', force: true })).rejects.toThrow(
      /still names/,
    );
    expect(await app.ownerOf(file)).toContain(`ticket ${id}`);
  });

  it('keeps a file in use from deletion where a foreign key protects it', async () => {
    const { id } = await app.dataSource.getRepository(Letter).save({ subject: 'x' });
    const file = await app.upload();
    expect(await app.send('PATCH', `/letters/${id}`, { attachmentId: file })).toMatchObject({ status: 200 });
    const { status, body } = await app.send('DELETE', `/files/${file}?force=true`, undefined, 'admin');
    expect([status, body['code']]).toEqual([
      409,
      body['code'] === 'FILES_FILE_PINNED' ? 'FILES_FILE_PINNED' : 'FILES_IN_USE',
    ]);
    await expect(app.files.delete(file, { force: true })).rejects.toThrow(/still names/);
  });

  it('moves a file between two tickets that are saved in one unit', async () => {
    const file = await app.upload();
    const from = await ticketWith({ coverId: file });
    const { id: to } = await tickets().save({ title: 'to' });
    await app.queue.run(async () => {
      await app.files.transferOwnership(file, { ownerType: 'ticket', ownerId: to, force: true, pin: true });
      await tickets().update(from, { coverId: null });
      await tickets().update(to, { coverId: file });
    });
    expect(await app.ownerOf(file)).toBe(`ticket ${to}*`);
  });

  it('lets children that are made again keep their files', async () => {
    const { id } = await app.dataSource.getRepository(Album).save({});
    const [a, b] = [await app.upload(), await app.upload()];
    const put = (files: string[]) =>
      app.send('PUT', `/albums/${id}/tracks`, { tracks: files.map((fileId) => ({ fileId })) });
    expect(await put([a, b])).toMatchObject({ status: 200 });
    const before = await tracks().findOneByOrFail({ fileId: a });
    expect(await put([a])).toMatchObject({ status: 200 });
    const after = await tracks().findOneByOrFail({ fileId: a });
    expect(after.id).not.toBe(before.id);
    expect(await app.ownerOf(a)).toBe(`track ${after.id}*`);
    expect(await app.ownerOf(b)).toBeUndefined();
  });

  it("does not give a removed record's file to a record of another parent", async () => {
    const albums = app.dataSource.getRepository(Album);
    const [one, other] = [await albums.save({}), await albums.save({})];
    const file = await app.upload();
    await app.send('PUT', `/albums/${one.id}/tracks`, { tracks: [{ fileId: file }] });
    const track = await tracks().findOneByOrFail({ fileId: file });
    await expect(
      app.queue.run(async () => {
        await tracks().remove(await tracks().findOneByOrFail({ id: track.id }));
        await tracks().save({ fileId: file, album: { id: other.id } });
      }),
    ).rejects.toThrow(/not its own/);
    expect(await app.ownerOf(file)).toBe(`track ${track.id}*`);
  });

  it.each(['', '/merged'])('refuses where a loaded relation keeps TypeORM from writing the column: %s', async (way) => {
    const letters = app.dataSource.getRepository(Letter);
    const { id } = await letters.save({ subject: 'x' });
    const [old, fresh] = [await app.upload(), await app.upload()];
    await app.files.transferOwnership(old, { ownerType: 'letter', ownerId: String(id), pin: true });
    await letters.update(id, { attachmentId: old });
    const { status, body } = await app.send('PATCH', `/letters/${id}${way}`, { attachmentId: fresh });
    expect([status, body['code']]).toEqual([500, 'FILES_NOT_NAMED']);
    expect(await app.ownerOf(fresh)).toBe('user ada');
    expect(await app.ownerOf(old)).toBe(`letter ${id}*`);
    // Whatever the answer shows, the row counts.
    await app.send('PATCH', `/letters/${id}${way}`, { attachmentId: null });
    const { attachmentId } = await letters.findOneByOrFail({ id });
    expect([attachmentId, await app.ownerOf(old)]).toEqual([old, `letter ${id}*`]);
    await expect(app.files.delete(old, { force: true })).rejects.toThrow(/still names/);
  });

  it('lets files follow a record whose owner id changes', async () => {
    const { key } = await app.dataSource.getRepository(Clause).save({ number: Math.floor(Math.random() * 1e9) });
    const file = await app.upload();
    expect(await app.send('PATCH', `/clauses/${key}`, { fileId: file })).toMatchObject({ status: 200 });
    const number = Math.floor(Math.random() * 1e9);
    expect(await app.send('PATCH', `/clauses/${key}`, { number, fileId: file })).toMatchObject({ status: 200 });
    expect(await app.ownerOf(file)).toBe(`clause ${number}*`);
    expect(await app.historyOf(file)).toEqual(['create', 'transfer', 'transfer']);
    await app.dataSource.getRepository(Clause).update({ number }, { number: number + 1 });
    expect(await app.ownerOf(file)).toBe(`clause ${number + 1}*`);
  });

  it('lets the files of a child follow it to another parent, and leaves those of its siblings', async () => {
    const [pages, binders] = [app.dataSource.getRepository(Page), app.dataSource.getRepository(Binder)];
    const [from, to] = [await binders.save({ id: randomUUID() }), await binders.save({ id: randomUUID() })];
    const [label, moved, left] = [
      await app.fileOf('binder', from.id),
      await app.fileOf('binder', from.id),
      await app.fileOf('binder', from.id),
    ];
    await binders.update(from.id, { labelId: label });
    const page = await pages.save({ binderId: from.id, scanId: moved });
    await pages.save({ binderId: from.id, scanId: left });
    await pages.save({ ...page, binderId: to.id });
    expect(await app.ownerOf(moved)).toBe(`binder ${to.id}*`);
    expect(await app.historyOf(moved)).toContain('transfer');
    expect(await app.ownerOf(left)).toBe(`binder ${from.id}*`);
    expect(await app.ownerOf(label)).toBe(`binder ${from.id}*`);
    await pages.update({ binderId: to.id }, { binderId: from.id });
    expect(await app.ownerOf(moved)).toBe(`binder ${from.id}*`);
  });

  it('lets no owner inherit the files of an earlier one with its id', async () => {
    const id = `attic ${Math.random()}`;
    const file = await app.upload();
    expect(await app.send('POST', '/rooms', { id, planId: file })).toMatchObject({ status: 201 });
    const rooms = app.dataSource.getRepository(Room);
    await rooms.remove(await rooms.findOneByOrFail({ id }));
    expect(await app.ownerOf(file)).toBe(`room ${id}*`);
    expect(await app.send('POST', '/rooms', { id, planId: file })).toMatchObject({ status: 400 });
    expect(await app.send('POST', '/rooms', { id })).toMatchObject({ status: 201 });
    expect(await app.ownerOf(file)).toBe('-');
  });
});
