import { Readable } from 'node:stream';
import { Body, Controller, Inject, Param, Post, ValidationPipe } from '@nestjs/common';
import type { PipeTransform } from '@nestjs/common';
import { PartialType } from '@nestjs/mapped-types';
import { Type } from 'class-transformer';
import { IsOptional, IsString, ValidateIf, ValidateNested } from 'class-validator';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OwnershipTransferTask } from '../../../lib/ownership/ownership-transfer.task.js';
import { TaskQueue } from '../../../lib/task-queue/task-queue.js';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { TransferOwnership } from '../../../lib/validation/transfer-ownership.constraint.js';
import { reachableDatabases } from '../../support/databases.js';
import { ownershipApp, Package } from '../../support/ownership-app.js';
import type { OwnershipApp } from '../../support/ownership-app.js';
import { fileById, historyOf, insertFile } from '../../support/ownership-databases.js';

class KeepDto {
  @IsOptional() @TransferOwnership('package') attachmentId?: string | null;
}
class ReleaseDto {
  @IsOptional() @TransferOwnership('package', { detached: 'release' }) attachmentId?: string | null;
}
class CoverDto extends ReleaseDto {
  @IsOptional() @TransferOwnership('package', { detached: 'release' }) coverId?: string | null;
}
class CreateDto {
  @TransferOwnership('package', { detached: 'release' }) attachmentId!: string;
}
class PartialDto extends PartialType(CreateDto) {}
class DeleteDto {
  @ValidateIf((_, value) => value !== null)
  @TransferOwnership('package', { detached: 'delete' })
  attachmentId!: string | null;
}
class OptionalBase {
  @IsOptional() attachmentId?: string | null;
}
class InheritingDto extends OptionalBase {
  @TransferOwnership('package', { detached: 'release' }) declare attachmentId?: string | null;
}
class HidingDto extends ReleaseDto {
  @IsOptional() declare attachmentId?: string | null;
}
class ListDto {
  @TransferOwnership('package', { detached: 'release' }) fileIds!: string[];
}
class EachDto {
  @TransferOwnership('package', { detached: 'release' }, { each: true }) fileIds!: string[];
}
class ResourceDto {
  @IsOptional() id?: number;
  @IsOptional() @TransferOwnership('resource', { detached: 'delete' }) fileId?: string | null;
}
class ResourcesDto {
  @ValidateNested({ each: true }) @Type(() => ResourceDto) resources!: ResourceDto[];
}
class TitleDto {
  @IsString() title!: string;
}

function pick(dto: Record<string, unknown>, key: string): Record<string, unknown> {
  return key in dto ? { [key]: dto[key] } : {};
}

type Result = (saved: Package & Record<string, unknown>, dto: object, queue: TaskQueue) => unknown;
let resultOf: Result = (saved) => saved;

@Controller('packages')
class PackagesController {
  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    private readonly queue: TaskQueue,
  ) {}

  async #update(id: number, { resources, ...dto }: Record<string, unknown>) {
    const packages = this.dataSource.getRepository(Package);
    const rows = await packages.update(id, { title: 'x', ...pick(dto, 'attachmentId') });
    if (rows.affected === 0) await packages.query(`INSERT INTO package (id, title) VALUES (${id}, 'x')`);
    const merged = { ...(await packages.findOneByOrFail({ id })), ...dto };
    const shown = ((resources ?? []) as ResourceDto[]).map((resource, index) => ({
      ...resource,
      id: resource.id ?? 100 + index,
    }));
    return resultOf({ ...merged, ...(resources ? { resources: shown } : {}) } as never, dto, this.queue);
  }

  @Post(':id/keep') @WithTaskQueue() keep(@Param('id') id: number, @Body() dto: KeepDto) {
    return this.#update(+id, { ...dto });
  }
  @Post(':id/release') @WithTaskQueue() release(@Param('id') id: number, @Body() dto: ReleaseDto) {
    return this.#update(+id, { ...dto });
  }
  @Post(':id/bound') @WithTaskQueue() async bound(@Param('id') id: number, @Body() dto: ReleaseDto) {
    this.queue.bind(dto, (await this.#update(+id, { ...dto })) as Package);
    return { done: true };
  }
  @Post(':id/raw') @WithTaskQueue() raw(@Param('id') id: number, @Body() dto: ReleaseDto) {
    return this.#update(+id, dto as object as Record<string, unknown>);
  }
  @Post(':id/cover') @WithTaskQueue() cover(@Param('id') id: number, @Body() dto: CoverDto) {
    return this.#update(+id, { ...dto });
  }
  @Post(':id/delete') @WithTaskQueue() delete(@Param('id') id: number, @Body() dto: DeleteDto) {
    return this.#update(+id, { ...dto });
  }
  @Post(':id/partial') @WithTaskQueue() partial(@Param('id') id: number, @Body() dto: PartialDto) {
    return this.#update(+id, { ...dto });
  }
  @Post(':id/inheriting') @WithTaskQueue() inheriting(@Param('id') id: number, @Body() dto: InheritingDto) {
    return this.#update(+id, { ...dto });
  }
  @Post(':id/hiding') @WithTaskQueue() hiding(@Param('id') id: number, @Body() dto: HidingDto) {
    return this.#update(+id, { ...dto });
  }
  @Post(':id/list') @WithTaskQueue() list(@Param('id') id: number, @Body() dto: ListDto) {
    return this.#update(+id, { ...dto });
  }
  @Post(':id/each') @WithTaskQueue() each(@Param('id') id: number, @Body() dto: EachDto) {
    return this.#update(+id, { ...dto });
  }
  @Post(':id/resources') @WithTaskQueue() resources(@Param('id') id: number, @Body() dto: ResourcesDto) {
    return this.#update(+id, { resources: dto.resources });
  }
  @Post(':id/undecorated') undecorated(@Param('id') id: number, @Body() dto: ReleaseDto) {
    return this.#update(+id, { ...dto });
  }
  @Post(':id/title') @WithTaskQueue() title(@Param('id') id: number, @Body() dto: TitleDto) {
    return this.#update(+id, { ...dto });
  }
}

const mine = { ownerType: 'user', ownerId: 'ada' };
const nobodys = { ownerType: null, ownerId: null, ownerField: null, pinned: false };
let packageId = 0;

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('detached files on $name', (database) => {
  let app: OwnershipApp;
  const open = (pipe: PipeTransform) => ownershipApp({ controllers: [PackagesController], pipes: [pipe], database });
  beforeAll(async () => void (app = await open(new ValidationPipe({ transform: true, transformOptions: {} }))));
  afterAll(() => app?.close());
  beforeEach(() => {
    packageId++;
    resultOf = (saved) => saved;
  });

  const insert = (file: Parameters<typeof insertFile>[1] = mine) => insertFile(app.dataSource, file);
  const read = (id: string) => fileById(app.dataSource, id);
  const post = (path: string, body: unknown) => app.send(`/packages/${packageId}/${path}`, body);
  const actions = async (id: string) => (await historyOf(app.dataSource, id)).map(({ action }) => action);
  const held = (field = 'attachmentId') => ({
    ownerType: 'package',
    ownerId: String(packageId),
    ownerField: field,
    pinned: true,
  });
  const attached = (field = 'attachmentId') => insert(held(field));

  it('keeps a replaced file with its owner unless told otherwise', async () => {
    const [before, after] = [await attached(), await insert()];
    expect((await post('keep', { attachmentId: after })).status).toBe(201);
    expect((await post('keep', { attachmentId: null })).status).toBe(201);
    expect(await read(before)).toMatchObject(held());
    expect(await read(after)).toMatchObject(held());
  });

  it('releases a replaced file, unpinned, and tells so in the history', async () => {
    const [before, after] = [await attached(), await insert()];
    expect((await post('release', { attachmentId: after })).status).toBe(201);
    expect(await read(after)).toMatchObject(held());
    expect(await read(before)).toMatchObject(nobodys);
    expect(await historyOf(app.dataSource, before)).toMatchObject([
      {
        action: 'release',
        fromType: 'package',
        fromId: String(packageId),
        toType: null,
        toId: null,
        actorId: 'ada',
        forced: false,
      },
    ]);
  });

  it('deletes a replaced file, its row and after the commit its bytes', async () => {
    const location = `old-${packageId}`;
    await app.storage.write(location, Readable.from([Buffer.from('x')]));
    const [before, after] = [await insert({ ...held(), location }), await insert()];
    expect((await post('delete', { attachmentId: after })).status).toBe(201);
    expect([await read(before), await app.storage.exists(location)]).toEqual([null, false]);
    expect(await actions(before)).toEqual(['delete']);
  });

  it('deletes no bytes when the work is undone', async () => {
    const location = `kept-${packageId}`;
    await app.storage.write(location, Readable.from([Buffer.from('x')]));
    const before = await insert({ ...held(), location });
    resultOf = (saved, _, queue) => {
      queue.add(() => Promise.reject(new Error('later')));
      return saved;
    };
    expect((await post('delete', { attachmentId: null })).status).toBe(500);
    expect([(await read(before))?.ownerId, await app.storage.exists(location)]).toEqual([String(packageId), true]);
  });

  it.each(['release', 'partial', 'inheriting', 'delete'])(
    'tells null from a field that is not sent: %s',
    async (path) => {
      const before = await attached();
      if (path !== 'delete') expect((await post(path, {})).status).toBe(201);
      expect(await read(before)).toMatchObject(held());
      expect((await post(path, { attachmentId: null })).status).toBe(201);
      const now = await read(before);
      if (path === 'delete') expect(now).toBeNull();
      else expect(now).toMatchObject(nobodys);
    },
  );

  it('lets nothing go where the field names what it named, or another field or owner held the file', async () => {
    const [own, cover, other] = [
      await attached(),
      await attached('coverId'),
      await insert({ ...held(), ownerId: 'else' }),
    ];
    expect((await post('release', { attachmentId: own })).status).toBe(201);
    expect((await post('release', { attachmentId: await insert() })).status).toBe(201);
    expect(await read(own)).toMatchObject(nobodys);
    expect(await read(cover)).toMatchObject(held('coverId'));
    expect(await read(other)).toMatchObject({ ownerId: 'else' });
  });

  it('follows files that change places in one request', async () => {
    const [a, b] = [await attached(), await attached('coverId')];
    expect((await post('cover', { attachmentId: b, coverId: a })).status).toBe(201);
    expect(await read(a)).toMatchObject(held('coverId'));
    expect(await read(b)).toMatchObject(held('attachmentId'));
    expect((await post('cover', { attachmentId: a, coverId: null })).status).toBe(201);
    expect(await read(a)).toMatchObject(held('attachmentId'));
    expect(await read(b)).toMatchObject(nobodys);
    expect(await actions(a)).toEqual([]);
  });

  it.each(['list', 'each'])('lets go of what a list lost: %s', async (path) => {
    const [a, b, c] = [await insert(), await insert(), await insert()];
    expect((await post(path, { fileIds: [a, b] })).status).toBe(201);
    expect((await post(path, { fileIds: [b, c] })).status).toBe(201);
    expect([await read(a), await read(b), await read(c)]).toMatchObject([nobodys, held('fileIds'), held('fileIds')]);
    expect((await post(path, { fileIds: [] })).status).toBe(201);
    expect([await read(b), await read(c)]).toMatchObject([nobodys, nobodys]);
  });

  it('keeps what the result still names', async () => {
    const [before, after] = [await attached(), await insert()];
    resultOf = (saved) => ({ ...saved, attachmentIds: [before] });
    expect((await post('release', { attachmentId: after })).status).toBe(201);
    expect(await read(before)).toMatchObject(held());
  });

  it('knows the resources of a list by their own ids, never by their places', async () => {
    const [first, second] = [`${packageId}1`, `${packageId}2`].map(Number);
    const of = (id: unknown) =>
      insert({ ownerType: 'resource', ownerId: String(id), ownerField: 'fileId', pinned: true });
    const [a, b] = [await of(first), await of(second)];
    resultOf = (saved) => ({
      ...saved,
      resources: [
        { id: second, fileId: b },
        { id: first, fileId: null },
      ],
    });
    const { status } = await post('resources', {
      resources: [
        { id: first, fileId: null },
        { id: second, fileId: b },
      ],
    });
    expect(status).toBe(201);
    expect([await read(a), (await read(b))?.ownerId]).toEqual([null, String(second)]);
  });

  it('refuses to guess whose field was emptied, and only where there is something to let go of', async () => {
    const shown = [
      { id: `${packageId}8`, fileId: null },
      { id: `${packageId}9`, fileId: null },
    ];
    resultOf = (saved) => ({ ...saved, resources: shown });
    const send = () => post('resources', { resources: [{ fileId: null }, { fileId: null }] });
    expect((await send()).status).toBe(201);
    const file = await insert({ ownerType: 'resource', ownerId: `${packageId}9`, ownerField: 'fileId', pinned: true });
    const { status, body } = await send();
    expect([status, body['code']]).toEqual([500, 'FILES_OWNER_NOT_RESOLVED']);
    expect(await read(file)).toMatchObject({ ownerType: 'resource' });
  });

  it.each([
    ['the old file', (saved: object) => ({ ...saved, attachmentId: '0199aaaa-0000-7000-8000-000000000000' })],
    ['nothing with an id', (saved: object) => ({ data: saved })],
    ['nothing', () => undefined],
    ['another object with the field', (saved: object) => ({ id: 1, data: saved })],
  ])('is an error of the application where the result shows %s', async (_, result) => {
    const before = await attached();
    resultOf = (saved) => {
      const { attachmentId, ...rest } = saved;
      return result({ ...rest, attachmentId });
    };
    const { status, body } = await post('release', { attachmentId: null });
    expect([status, body['code']]).toEqual([500, 'FILES_OWNER_NOT_RESOLVED']);
    expect(await read(before)).toMatchObject(held());
  });

  it('follows bind()', async () => {
    const before = await attached();
    expect((await post('bound', { attachmentId: null })).status).toBe(201);
    expect(await read(before)).toMatchObject(nobodys);
  });

  it('takes one more statement where nothing is let go of, and four where files are, however many', async () => {
    const counts: number[] = [];
    for (const size of [1, 30]) {
      const ids = await Promise.all(Array.from({ length: size }, () => insert()));
      for (const path of ['list', 'list']) {
        const next = path === 'list' && counts.length % 2 === 1 ? await Promise.all(ids.map(() => insert())) : ids;
        app.statements.length = 0;
        expect((await post('list', { fileIds: next })).status).toBe(201);
        counts.push(app.statements.filter((sql) => /files_/.test(sql)).length);
      }
      packageId++;
    }
    const [first, replaced] = counts;
    expect(counts).toEqual([first, replaced, first, replaced]);
    expect((replaced as number) - (first as number)).toBe(3);
  });

  it('says that the handler lacks a unit of work, also for null', async () => {
    const { status, body } = await post('undecorated', { attachmentId: null });
    expect([status, body['code']]).toEqual([500, 'FILES_OUT_OF_QUEUE']);
  });

  it('refuses a class that hides null from the field it inherits', async () => {
    const { status, body } = await post('hiding', { attachmentId: await insert() });
    expect([status, body['code']]).toEqual([500, 'FILES_INVALID_DECORATION']);
  });

  it('serves requests that replace and empty the same fields at once', async () => {
    const existing = (id: number) => app.send(`/packages/${id}/keep`, {});
    for (let round = 0; round < 15; round++) {
      const [x, y] = [packageId * 1000 + round * 2, packageId * 1000 + round * 2 + 1];
      await existing(x);
      await existing(y);
      const of = (id: number) => insert({ ...held(), ownerId: String(id) });
      const [a, b, c, d] = [await of(x), await of(y), await insert(), await insert()];
      const answers = await Promise.all([
        app.send(`/packages/${x}/release`, { attachmentId: c }),
        app.send(`/packages/${y}/release`, { attachmentId: d }),
        app.send(`/packages/${x}/release`, { attachmentId: null }),
        app.send(`/packages/${y}/release`, { attachmentId: null }),
      ]);
      expect(answers.map(({ status }) => status).every((status) => status === 201)).toBe(true);
      expect([await read(a), await read(b)]).toMatchObject([nobodys, nobodys]);
    }
  });

  it('lets go of files beside explicit transfers', async () => {
    const [before, other] = [await attached(), await insert()];
    resultOf = (saved, _, queue) => {
      queue.add(new OwnershipTransferTask(other, 'archive', '1', 'value'));
      return saved;
    };
    app.statements.length = 0;
    expect((await post('release', { attachmentId: null })).status).toBe(201);
    expect([await read(before), await read(other)]).toMatchObject([nobodys, { ownerType: 'archive' }]);
  });

  it('takes part where pipes give the method what was sent, not what they validated', async () => {
    const plain = await open(new ValidationPipe());
    try {
      const id = await insertFile(plain.dataSource, held());
      expect((await plain.send(`/packages/${packageId}/raw`, { attachmentId: null })).status).toBe(201);
      expect(await fileById(plain.dataSource, id)).toMatchObject(nobodys);
    } finally {
      await plain.close();
    }
  });
});
