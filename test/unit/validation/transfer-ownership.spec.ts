import { Body, Controller, Inject, Post, UsePipes, ValidationPipe } from '@nestjs/common';
import { IntersectionType, OmitType, PartialType, PickType } from '@nestjs/mapped-types';
import { Type } from 'class-transformer';
import { IsOptional, IsString, ValidateNested } from 'class-validator';
import { DataSource } from 'typeorm';
import { afterEach, describe, expect, it } from 'vitest';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { OwnershipTransferTask } from '../../../lib/ownership/ownership-transfer.task.js';
import { TaskQueue } from '../../../lib/task-queue/task-queue.js';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { TransferOwnership } from '../../../lib/validation/file-constraints.js';
import { ownershipApp, Package } from '../../support/ownership-app.js';
import type { OwnershipApp, OwnershipAppOptions } from '../../support/ownership-app.js';
import { fileById, historyOf, insertFile } from '../../support/ownership-databases.js';

class ResourceDto {
  @TransferOwnership('resource') fileId!: string;
}
class ParentOwnedDto {
  @TransferOwnership('package', ['..', 'id']) fileId!: string;
}
class PackageDto {
  @IsString() title!: string;
  @IsOptional() @TransferOwnership('package') attachmentId?: string | null;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => ResourceDto) resources?: ResourceDto[];
}
class ParentOwnedPackageDto {
  @ValidateNested({ each: true }) @Type(() => ParentOwnedDto) resources!: ParentOwnedDto[];
}
class FilesDto {
  @TransferOwnership('package') fileIds!: string[];
}
class EachFilesDto {
  @TransferOwnership('package', 'id', { each: true }) fileIds!: string[];
}
class UnownedDto {
  @TransferOwnership('package', { allowUnowned: true }) attachmentId!: string;
}
class MessageDto {
  @TransferOwnership('package', 'id', { message: '$target.$property: no $constraint1 may have $value' })
  attachmentId!: string;
}
class OwnerDto {
  @TransferOwnership('resource', {
    owner: (result: { made: Map<string, object> }, dto: OwnerDto) => result.made.get(dto.fileId),
  })
  fileId!: string;
}
class TwoOwnersDto {
  @TransferOwnership('package') attachmentId!: string;
  @TransferOwnership('user', 'id') pictureId!: string;
}
class Renamed extends PartialType(PickType(PackageDto, ['attachmentId'])) {}
class Omitted extends OmitType(PackageDto, ['title', 'resources']) {}
class Joined extends IntersectionType(PickType(PackageDto, ['title']), PickType(PackageDto, ['attachmentId'])) {}

let duringHandler: () => Promise<void> = async () => undefined;

@Controller()
class PackagesController {
  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    private readonly queue: TaskQueue,
  ) {}

  async #save(dto: object): Promise<Package> {
    await duringHandler();
    const packages = this.dataSource.getRepository(Package);
    return packages.save(packages.create({ title: 'x', ...dto } as object) as Package);
  }

  @Post('packages')
  @WithTaskQueue()
  create(@Body() dto: PackageDto) {
    return this.#save(dto);
  }

  @Post('twice')
  @UsePipes(new ValidationPipe())
  @WithTaskQueue()
  async twice(@Body(new ValidationPipe()) dto: PackageDto) {
    const saved = await this.#save(dto);
    return { ...saved, size: this.queue.size };
  }

  @Post('reversed')
  @WithTaskQueue()
  async reversed(@Body() dto: PackageDto) {
    const saved = await this.#save(dto);
    return { ...saved, resources: saved.resources.toReversed() };
  }

  @Post('hidden')
  @WithTaskQueue()
  async hidden(@Body() dto: PackageDto) {
    const { id, resources } = await this.#save(dto);
    return { id, resources: resources.map((resource) => ({ id: resource.id })).toReversed() };
  }

  @Post('wrapped')
  @WithTaskQueue()
  async wrapped(@Body() dto: PackageDto) {
    return { data: await this.#save(dto) };
  }

  @Post('bound')
  @WithTaskQueue()
  async bound(@Body() dto: PackageDto) {
    const saved = await this.#save(dto);
    dto.resources?.forEach((resource, index) => this.queue.bind(resource, saved.resources[index]!));
    return { saved: true };
  }

  @Post('owned')
  @WithTaskQueue()
  owned(@Body() dto: OwnerDto) {
    return { made: new Map([[dto.fileId, { id: 44 }]]) };
  }

  @Post('parent')
  @WithTaskQueue()
  parent(@Body() dto: ParentOwnedPackageDto) {
    return this.#save(dto);
  }

  @Post('files')
  @WithTaskQueue()
  async files(@Body() dto: FilesDto) {
    return { ...(await this.#save({})), fileIds: dto.fileIds };
  }

  @Post('each')
  @WithTaskQueue()
  async each(@Body() dto: EachFilesDto) {
    return { ...(await this.#save({})), fileIds: dto.fileIds };
  }

  @Post('unowned')
  @WithTaskQueue()
  unowned(@Body() dto: UnownedDto) {
    return this.#save(dto);
  }

  @Post('message')
  @WithTaskQueue()
  message(@Body() dto: MessageDto) {
    return this.#save(dto);
  }

  @Post('two')
  @WithTaskQueue()
  two(@Body() dto: TwoOwnersDto) {
    return this.#save(dto);
  }

  @Post('renamed')
  @WithTaskQueue()
  renamed(@Body() dto: Renamed) {
    return this.#save(dto);
  }

  @Post('omitted')
  @WithTaskQueue()
  omitted(@Body() dto: Omitted) {
    return this.#save(dto);
  }

  @Post('joined')
  @WithTaskQueue()
  joined(@Body() dto: Joined) {
    return this.#save(dto);
  }

  @Post('undecorated')
  undecorated(@Body() dto: PackageDto) {
    return this.#save(dto);
  }

  @Post('explicit')
  @WithTaskQueue()
  async explicit(@Body() dto: PackageDto) {
    const saved = await this.#save(dto);
    this.queue.add(() => 'between');
    for (const { fileId } of (dto as { others?: ResourceDto[] }).others ?? []) {
      this.queue.add(new OwnershipTransferTask(fileId, 'package', 'id'));
    }
    return saved;
  }
}

const mine = { ownerType: 'user', ownerId: 'ada' };
let app: OwnershipApp;

async function start(options: OwnershipAppOptions = {}): Promise<void> {
  app = await ownershipApp({
    controllers: [PackagesController],
    pipes: [new ValidationPipe({ transform: true })],
    ...options,
  });
}
afterEach(async () => {
  duringHandler = async () => undefined;
  await app.close();
});

const insert = (file: Parameters<typeof insertFile>[1] = mine) => insertFile(app.dataSource, file);
const read = (id: string) => fileById(app.dataSource, id);
const packages = () => app.dataSource.getRepository(Package).count();
const refusal = (...message: string[]) => ({ status: 400, body: { statusCode: 400, error: 'Bad Request', message } });

describe.each([
  ['with transform', new ValidationPipe({ transform: true })],
  ['without transform', new ValidationPipe()],
  ['with whitelist and no transform', new ValidationPipe({ whitelist: true, forbidUnknownValues: true })],
])('@TransferOwnership %s', (_, pipe) => {
  const open = () => start({ pipes: [pipe] });

  it('gives the files of a saved package and its resources to them, and pins them', async () => {
    await open();
    const [a, b, c] = [await insert(), await insert(), await insert()];
    const { status, body } = await app.send('/packages', {
      title: 'x',
      attachmentId: a,
      resources: [{ fileId: b }, { fileId: c }],
    });
    expect(status).toBe(201);
    const [first, second] = body['resources'] as { id: number }[];
    const pinned = { pinned: true };
    expect(await read(a)).toMatchObject({
      ownerType: 'package',
      ownerId: String(body['id']),
      ownerField: 'attachmentId',
      ...pinned,
    });
    expect(await read(b)).toMatchObject({
      ownerType: 'resource',
      ownerId: String(first?.id),
      ownerField: 'fileId',
      ...pinned,
    });
    expect(await read(c)).toMatchObject({ ownerType: 'resource', ownerId: String(second?.id), ...pinned });
    expect(await historyOf(app.dataSource, b)).toMatchObject([{ action: 'transfer', actorId: 'ada', fromId: 'ada' }]);
  });

  it('finds the resources of a reordered result', async () => {
    await open();
    const [b, c] = [await insert(), await insert()];
    const { body } = await app.send('/reversed', { title: 'x', resources: [{ fileId: b }, { fileId: c }] });
    const [second, first] = body['resources'] as { id: number }[];
    expect((await read(b))?.ownerId).toBe(String(first?.id));
    expect((await read(c))?.ownerId).toBe(String(second?.id));
  });

  it.each(['/hidden', '/wrapped'])('saves nothing when the result of %s does not tell the owners', async (path) => {
    await open();
    const [b, c] = [await insert(), await insert()];
    const { status, body } = await app.send(path, { title: 'x', resources: [{ fileId: b }, { fileId: c }] });
    expect([status, body['code']]).toEqual([500, 'FILES_OWNER_NOT_RESOLVED']);
    expect(await packages()).toBe(0);
    expect(await read(b)).toMatchObject(mine);
  });

  it('follows bind()', async () => {
    await open();
    const [b, c] = [await insert(), await insert()];
    expect((await app.send('/bound', { title: 'x', resources: [{ fileId: b }, { fileId: c }] })).status).toBe(201);
    expect([(await read(b))?.ownerId, (await read(c))?.ownerId]).toEqual(['1', '2']);
  });

  it('follows owner()', async () => {
    await open();
    const id = await insert();
    expect((await app.send('/owned', { fileId: id })).status).toBe(201);
    expect(await read(id)).toMatchObject({ ownerType: 'resource', ownerId: '44' });
  });

  it('refuses one file for two owners', async () => {
    await open();
    const id = await insert();
    const { status, body } = await app.send('/packages', { title: 'x', resources: [{ fileId: id }, { fileId: id }] });
    expect([status, body['code']]).toEqual([422, 'FILES_OWNER_CONFLICT']);
    const across = await app.send('/packages', { title: 'x', attachmentId: id, resources: [{ fileId: id }] });
    expect([across.status, across.body['code']]).toEqual([422, 'FILES_OWNER_CONFLICT']);
    expect(await packages()).toBe(0);
    expect(await read(id)).toMatchObject(mine);
  });

  it('accepts one file in several fields of one owner, with one transfer', async () => {
    await open();
    const id = await insert();
    const { status, body } = await app.send('/parent', { resources: [{ fileId: id }, { fileId: id }] });
    expect([status, (await read(id))?.ownerId]).toEqual([201, String(body['id'])]);
    expect(await historyOf(app.dataSource, id)).toHaveLength(1);
  });

  it('queues one transfer per file when several pipes validate the body', async () => {
    await open();
    const [a, b] = [await insert(), await insert()];
    const { status, body } = await app.send('/twice', { title: 'x', attachmentId: a, resources: [{ fileId: b }] });
    expect([status, body['size']]).toEqual([201, 2]);
    expect(await historyOf(app.dataSource, a)).toHaveLength(1);
    expect((await read(b))?.ownerType).toBe('resource');
  });

  it('finds the owners of files whose ids the client writes in capitals', async () => {
    await open();
    const [a, b, c, d] = [await insert(), await insert(), await insert(), await insert()];
    const { status, body } = await app.send('/packages', {
      title: 'x',
      attachmentId: a.toUpperCase(),
      resources: [{ fileId: b.toUpperCase() }, { fileId: c }],
    });
    expect(status).toBe(201);
    const [first, second] = body['resources'] as { id: number }[];
    expect((await read(a))?.ownerId).toBe(String(body['id']));
    expect([(await read(b))?.ownerId, (await read(c))?.ownerId]).toEqual([String(first?.id), String(second?.id)]);
    const list = await app.send('/files', { fileIds: [d.toUpperCase()] });
    expect([list.status, (await read(d))?.ownerId]).toEqual([201, String(list.body['id'])]);
  });

  it('transfers lists of ids', async () => {
    await open();
    for (const path of ['/files', '/each']) {
      const ids = [await insert(), await insert(), await insert()];
      const { status, body } = await app.send(path, { fileIds: ids });
      expect(status).toBe(201);
      for (const id of ids) expect(await read(id)).toMatchObject({ ownerType: 'package', ownerId: String(body['id']) });
    }
  });
});

describe('@TransferOwnership', () => {
  it('refuses files of others, unowned ones and missing ones, before the handler runs', async () => {
    await start();
    const own = await insert();
    const refused = [
      await insert({ ...mine, ownerId: 'bob' }),
      await insert({}),
      uuidV7(),
      await insert({ ownerType: 'group', ownerId: '1' }),
    ];
    duringHandler = () => Promise.reject(new Error('the handler ran'));
    for (const id of [...refused, await insert({ ...mine, ownerId: 'bob', pinned: true })]) {
      expect(await app.send('/packages', { title: 'x', attachmentId: id })).toMatchObject(
        refusal('attachmentId: The file does not exist, or you may not use it'),
      );
    }
    const [first, second] = refused;
    expect(await app.send('/packages', { title: 'x', resources: [{ fileId: own }, { fileId: first }] })).toEqual(
      refusal('resources.1.fileId: The file does not exist, or you may not use it'),
    );
    expect(await app.send('/files', { fileIds: [own, first, second] })).toEqual(
      refusal(`fileIds: The file does not exist, or you may not use it: ${first}, ${second}`),
    );
    expect(await app.send('/each', { fileIds: [first, own, second] })).toEqual(
      refusal(`fileIds: The file does not exist, or you may not use it: ${first}, ${second}`),
    );
    expect(await read(own)).toMatchObject({ ...mine, pinned: false });
  });

  it('refuses a pinned file of the actor', async () => {
    await start();
    const id = await insert({ ...mine, pinned: true });
    expect(await app.send('/packages', { title: 'x', attachmentId: id })).toEqual(
      refusal('attachmentId: The file is protected and cannot be used here'),
    );
  });

  it('refuses the file of another package as the pipe would, although only the transfer can tell', async () => {
    await start();
    const theirs = [
      await insert({ ownerType: 'package', ownerId: '77', pinned: true }),
      await insert({ ownerType: 'package', ownerId: '77' }),
    ];
    for (const id of theirs) {
      expect(await app.send('/packages', { title: 'x', attachmentId: id })).toMatchObject(
        refusal('attachmentId: The file does not exist, or you may not use it'),
      );
    }
    expect(await app.send('/files', { fileIds: theirs })).toMatchObject(
      refusal(`fileIds: The file does not exist, or you may not use it: ${theirs.toSorted().join(', ')}`),
    );
    const resource = await insert({ ownerType: 'resource', ownerId: '77', pinned: true });
    expect(
      await app.send('/packages', { title: 'x', resources: [{ fileId: await insert() }, { fileId: resource }] }),
    ).toMatchObject(refusal('resources.1.fileId: The file does not exist, or you may not use it'));
    expect(await packages()).toBe(0);
  });

  it("keeps a file that is the owner's already, even if it is pinned", async () => {
    await start();
    const id = await insert({ ownerType: 'package', ownerId: '1', pinned: true });
    expect((await app.send('/packages', { title: 'x', attachmentId: id })).status).toBe(201);
    expect(await historyOf(app.dataSource, id)).toEqual([]);
  });

  it('pins a file that the owner has already, so that nobody takes it from under the record', async () => {
    await start();
    const id = await insert({ ownerType: 'package', ownerId: '1', pinned: false });
    expect((await app.send('/packages', { title: 'x', attachmentId: id })).status).toBe(201);
    expect((await historyOf(app.dataSource, id)).map(({ action }) => action)).toEqual(['pin']);
    expect(await app.dataSource.getRepository(ManagedFile).findOneByOrFail({ id })).toMatchObject({
      pinned: true,
      ownerField: 'attachmentId',
    });
  });

  it('answers 409 when the file changed between the check and the transfer', async () => {
    await start();
    const changes: Partial<Record<string, (id: string) => Promise<unknown>>> = {
      'given away': (id) => app.ownership.transfer([id], { ownerType: 'package', ownerId: '99', pin: true }),
      pinned: (id) => app.ownership.pin(id),
      deleted: (id) => app.dataSource.getRepository(ManagedFile).delete({ id }),
    };
    for (const change of Object.values(changes)) {
      const id = await insert();
      duringHandler = async () => void (await change?.(id));
      const { status, body } = await app.send('/packages', { title: 'x', attachmentId: id });
      expect([status, body['code']]).toEqual([409, 'FILES_FILE_CHANGED']);
    }
    expect(await packages()).toBe(0);
  });

  it('refuses a manager who names a derived file, which belongs to its original', async () => {
    await start({ isManager: true });
    const original = await insert();
    const derived = await insert({ ownerType: 'file', ownerId: original });
    expect((await app.send('/packages', { title: 'x', attachmentId: derived })).status).toBe(400);
    expect(await read(derived)).toMatchObject({ ownerType: 'file', ownerId: original });
  });

  it('lets a manager attach any file that is not pinned', async () => {
    await start({ isManager: true });
    for (const file of [
      { ...mine, ownerId: 'bob' },
      {},
      { ownerType: 'group', ownerId: '1' },
      { ownerType: 'package', ownerId: '77' },
    ]) {
      const id = await insert(file);
      expect((await app.send('/packages', { title: 'x', attachmentId: id })).status).toBe(201);
      expect((await read(id))?.ownerType).toBe('package');
    }
    for (const file of [
      { ownerType: 'group', ownerId: '1', pinned: true },
      { ownerType: 'package', ownerId: '77', pinned: true },
    ]) {
      const id = await insert(file);
      expect(await app.send('/packages', { title: 'x', attachmentId: id })).toMatchObject(
        refusal('attachmentId: The file is protected and cannot be used here'),
      );
    }
  });

  it('takes unowned files only where that is allowed', async () => {
    await start({ actor: null });
    const id = await insert({});
    expect(await app.send('/packages', { title: 'x', attachmentId: id })).toEqual(
      refusal('attachmentId: The file does not exist, or you may not use it'),
    );
    expect((await app.send('/unowned', { attachmentId: id })).status).toBe(201);
    expect(await read(id)).toMatchObject({ ownerType: 'package', pinned: true });
    const owned = await insert();
    expect(await app.send('/unowned', { attachmentId: owned })).toEqual(
      refusal('attachmentId: The file does not exist, or you may not use it'),
    );
  });

  it('refuses whatever is no id with a message, and does not ask the database', async () => {
    await start();
    const fine = await insert();
    const wrong = [1, true, {}, '', 'x', [], { id: fine }, 'x'.repeat(10_000), `${fine}\u0000`, ` ${fine}`, '%', []];
    app.statements.length = 0;
    for (const attachmentId of wrong.filter((value) => !Array.isArray(value))) {
      expect(await app.send('/packages', { title: 'x', attachmentId })).toEqual(
        refusal('attachmentId: The file does not exist, or you may not use it'),
      );
    }
    expect((await app.send('/files', {})).body).toMatchObject({
      message: ['fileIds: The file does not exist, or you may not use it'],
    });
    expect((await app.send('/files', { fileIds: null })).body).toMatchObject({
      message: ['fileIds: The file does not exist, or you may not use it'],
    });
    const list = await app.send('/files', { fileIds: [fine, 7, null, { $ne: 1 }, 'y'.repeat(100), 'a\u0000b'] });
    expect(list).toEqual(
      refusal(`fileIds: The file does not exist, or you may not use it: 7, object, ${'y'.repeat(63)}…, a�b`),
    );
    expect(app.statements.filter((sql) => /files_file/i.test(sql))).toEqual([]);
  });

  it('accepts an empty list and refuses one that names a file twice', async () => {
    await start();
    const id = await insert();
    expect((await app.send('/files', { fileIds: [] })).status).toBe(201);
    expect(await app.send('/files', { fileIds: [id, await insert(), id] })).toEqual(
      refusal(`fileIds: The file is named twice: ${id}`),
    );
    expect(await app.send('/each', { fileIds: [id, await insert(), id] })).toEqual(
      refusal(`fileIds: The file is named twice: ${id}`),
    );
  });

  it('refuses a list where the field is declared as one id, and one id where it is declared as a list', async () => {
    await start();
    const id = await insert();
    for (const attachmentId of [[id], []]) {
      expect(await app.send('/packages', { title: 't', attachmentId })).toEqual(
        refusal('attachmentId: Must be one file, not a list'),
      );
    }
    expect(await app.send('/files', { fileIds: id })).toEqual(refusal('fileIds: Must be a list of files'));
  });

  it('uses the message it was given, early and late', async () => {
    await start();
    const ids = [await insert({ ...mine, ownerId: 'bob' }), await insert({ ownerType: 'package', ownerId: '77' })];
    for (const id of ids) {
      expect(await app.send('/message', { attachmentId: id })).toMatchObject(
        refusal(`MessageDto.attachmentId: no package may have ${id}`),
      );
    }
  });

  it('leaves everything as it is when another field fails', async () => {
    await start();
    const id = await insert();
    expect((await app.send('/packages', { attachmentId: id })).status).toBe(400);
    expect(await read(id)).toMatchObject({ ...mine, pinned: false });
    expect(await packages()).toBe(0);
  });

  it('ignores a field that is optional and absent or null', async () => {
    await start();
    expect((await app.send('/packages', { title: 'x' })).status).toBe(201);
    expect((await app.send('/packages', { title: 'x', attachmentId: null })).status).toBe(201);
  });

  it('works on DTOs that are made of others', async () => {
    await start();
    for (const path of ['/renamed', '/omitted', '/joined']) {
      const id = await insert();
      const { status, body } = await app.send(path, { title: 'x', attachmentId: id });
      expect([path, status]).toEqual([path, 201]);
      expect(await read(id)).toMatchObject({ ownerType: 'package', ownerId: String(body['id']) });
    }
  });

  it('says which DTO and field lack a unit of work', async () => {
    await start();
    const { status, body } = await app.send('/undecorated', { title: 'x', attachmentId: await insert() });
    expect([status, body['code']]).toEqual([500, 'FILES_TASK_QUEUE_MISSING']);
    const { validate } = await import('class-validator');
    await expect(validate(Object.assign(new Renamed(), { attachmentId: 'x' }))).rejects.toThrow(
      /Renamed\.attachmentId .*lacks @WithTaskQueue\(\)/,
    );
  });

  it('needs the same number of statements for one file as for many', async () => {
    await start();
    const counts: number[] = [];
    for (const size of [1, 50]) {
      const fileIds = await Promise.all(Array.from({ length: size }, () => insert()));
      app.statements.length = 0;
      expect((await app.send('/files', { fileIds })).status).toBe(201);
      counts.push(app.statements.filter((sql) => /files_(file|transfer)/.test(sql)).length);
    }
    const [one = 0, many] = counts;
    expect(many).toBe(one);
    expect(one).toBeLessThanOrEqual(4);
  });

  it('looks at all files of a request with one statement', async () => {
    await start();
    const resources = await Promise.all(Array.from({ length: 20 }, async () => ({ fileId: await insert() })));
    app.statements.length = 0;
    duringHandler = async () => void app.statements.push('-- handler');
    const attachmentId = await insert();
    app.statements.length = 0;
    expect((await app.send('/packages', { title: 'x', attachmentId, resources })).status).toBe(201);
    const early = app.statements.slice(0, app.statements.indexOf('-- handler'));
    expect(early.filter((sql) => /files_file/.test(sql))).toHaveLength(1);
  });

  it('shares the batch with transfers that the handler queued, also beyond other tasks', async () => {
    await start({ pipes: [new ValidationPipe()] });
    const attachmentId = await insert();
    const others = [{ fileId: await insert({ ...mine, ownerId: 'bob' }) }, { fileId: await insert({}) }];
    const { status, body } = await app.send('/explicit', { title: 'x', attachmentId, others });
    expect(status).toBe(201);
    const owner = { ownerType: 'package', ownerId: String(body['id']), pinned: true };
    for (const id of [attachmentId, ...others.map(({ fileId }) => fileId)]) expect(await read(id)).toMatchObject(owner);
    const pinned = await insert({ ...mine, pinned: true });
    const late = await app.send('/explicit', {
      title: 'x',
      attachmentId: await insert(),
      others: [{ fileId: pinned }],
    });
    expect([late.status, late.body['code']]).toEqual([409, 'FILES_FILE_PINNED']);
  });

  it.each([
    ['an unknown option', { onDelete: 'delete' }],
    ["a policy, which is the entity's to declare", { detached: 'delete' }],
    ['no steps', []],
    ['steps that end in the air', ['..']],
    ['an empty name', ''],
    ['owner() and a way up', { owner: () => 1, idField: ['..', 'id'] }],
  ])('is refused with %s', async (_, options) => {
    await start();
    expect(() => TransferOwnership('package', options as never)).toThrow(/@TransferOwnership\(\)/);
    expect(() => TransferOwnership(' package')).toThrow(/Owner type/);
  });
});
