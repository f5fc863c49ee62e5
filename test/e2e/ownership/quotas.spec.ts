import { request } from 'node:http';
import { Readable } from 'node:stream';
import { Body, Controller, Inject, Post, ValidationPipe } from '@nestjs/common';
import { IsOptional } from 'class-validator';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { DRAFT_OPTIONS, readDraftOptions } from '../../../lib/files/drafts/draft-options.js';
import { Drafts } from '../../../lib/files/drafts/drafts.js';
import { ContentBatches } from '../../../lib/files/content/content-batches.js';
import { ContentCopies } from '../../../lib/files/content/content-copies.js';
import { FileRegistration } from '../../../lib/files/file-registration.js';
import { DEFAULT_STORAGE, FileWriter } from '../../../lib/files/file-writer.js';
import { FilesModule } from '../../../lib/files.module.js';
import { FilesAddresses } from '../../../lib/files/files-addresses.js';
import { FilesService } from '../../../lib/files/files.service.js';
import { OwnerCopies } from '../../../lib/files/owner-copies.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { OwnershipPort } from '../../../lib/files/ownership-port.js';
import { OwnershipTransferTask } from '../../../lib/ownership/ownership-transfer.task.js';
import { FileField } from '../../../lib/ownership/guard/file-field.decorator.js';
import { Ownership } from '../../../lib/ownership/ownership.service.js';
import { FileUsage } from '../../../lib/ownership/quotas/file-usage.entity.js';
import { readQuotas } from '../../../lib/ownership/quotas/quota-options.js';
import { OwnsFiles } from '../../../lib/ownership/owns-files.decorator.js';
import { Quotas } from '../../../lib/ownership/quotas/quotas.js';
import { OwnerRemovals } from '../../../lib/ownership/removal/owner-removals.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { TransferOwnership } from '../../../lib/validation/file-constraints.js';
import { gate } from '../../support/gate.js';
import { reachableDatabases } from '../../support/databases.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';
import { answerTo, FILE_PART, openUpload } from '../../support/http-raw.js';
import { Loan, OWNERS } from '../../support/owner-entities.js';
import { ownershipApp } from '../../support/ownership-app.js';
import type { OwnershipApp } from '../../support/ownership-app.js';
import { insertFile } from '../../support/ownership-databases.js';

@Entity()
@OwnsFiles('crate')
class Crate {
  @PrimaryGeneratedColumn() id!: number;
  @FileField({ onReplace: 'delete' }) @Column('uuid', { nullable: true }) attachmentId!: string | null;
}

class AttachDto {
  @IsOptional() @TransferOwnership('crate') attachmentId?: string | null;
}

@Controller('crates')
class CratesController {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  @Post() @WithTaskQueue() create(@Body() dto: AttachDto) {
    return this.dataSource.getRepository(Crate).save({ ...dto });
  }
}

const bytes = (size: number) => Buffer.alloc(size, 'x');
const exceeded = (limited: string) => ({ code: 'FILES_QUOTA_EXCEEDED', limited });

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('a quota on $name', (database) => {
  let app: OwnershipApp;
  let files: FilesService;
  let quotas: Quotas;
  let number = 0;
  let ada: { type: string; id: string };
  /** Called whenever the quota of a team is asked for. */
  let asked: () => Promise<unknown> = () => Promise.resolve();
  beforeAll(async () => {
    app = await ownershipApp({
      controllers: [CratesController],
      pipes: [new ValidationPipe({ transform: true })],
      providers: [
        { provide: OwnershipPort, useExisting: Ownership },
        { provide: DEFAULT_STORAGE, useValue: 'default' },
        OwnerRemovals,
        { provide: DRAFT_OPTIONS, useValue: readDraftOptions(undefined) },
        Drafts,
        FileWriter,
        FileRegistration,
        ContentBatches,
        ContentCopies,
        OwnerCopies,
        { provide: FilesAddresses, useValue: {} },
        FilesService,
      ],
      entities: [...OWNERS, Crate],
      database,
      quotas: readQuotas({
        user: { bytes: '1kB', count: 10 },
        team: async (id) => {
          await asked();
          return id === 'free' ? null : { count: 1 };
        },
        crate: { bytes: 100 },
        loan: { bytes: 100 },
      }),
    });
    files = app.app.get(FilesService);
    quotas = app.app.get(Quotas);
  });
  afterAll(() => app?.close());
  beforeEach(() => void (ada = { type: 'user', id: `ada-${++number}` }));

  const create = (size: number, owner: typeof ada | null = ada) => files.create(bytes(size), { name: 'a.txt', owner });
  const count = () => app.dataSource.getRepository(ManagedFile).countBy({ ownerType: ada.type, ownerId: ada.id });
  const row = (owner: typeof ada) =>
    app.dataSource.getRepository(FileUsage).findOneBy({ ownerType: owner.type, ownerId: owner.id });
  const real = async (owner: typeof ada) => {
    const [{ bytes: sum, count: rows } = { bytes: 0, count: 0 }] = await app.dataSource
      .getRepository(ManagedFile)
      .createQueryBuilder('file')
      .select('COALESCE(SUM(file.size), 0)', 'bytes')
      .addSelect('COUNT(*)', 'count')
      .where({ ownerType: owner.type, ownerId: owner.id })
      .getRawMany<{ bytes: unknown; count: unknown }>();
    return { bytes: Number(sum), count: Number(rows) };
  };

  it('fills up to the last byte, and keeps nothing of a file that does not fit', async () => {
    await create(999);
    await expect(create(2)).rejects.toMatchObject({ ...exceeded('bytes'), ownerId: ada.id, limit: 1000 });
    await create(1);
    await expect(create(1)).rejects.toMatchObject(exceeded('bytes'));
    expect(await quotas.usage(ada)).toEqual({ bytes: 1000, count: 2 });
    expect(await real(ada)).toEqual({ bytes: 1000, count: 2 });
  });

  it('accepts the allowed number of files, and no more', async () => {
    for (let at = 0; at < 10; at++) await create(1);
    await expect(create(0)).rejects.toMatchObject({ ...exceeded('count'), limit: 10 });
    expect(await count()).toBe(10);
  });

  it('gives the last byte to one of several uploads at once', async () => {
    await create(900);
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => create(60)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject(exceeded('bytes'));
    expect(await quotas.usage(ada)).toEqual({ bytes: 960, count: 2 });
  });

  it('gives the last byte to one upload also where nothing was counted before', async () => {
    await insertFile(app.dataSource, { ownerType: ada.type, ownerId: ada.id, size: 900 });
    expect(await row(ada)).toBeNull();
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => create(60)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await row(ada)).toMatchObject({ bytes: 960, count: 2 });
  });

  it('counts existing files, whatever happens first', async () => {
    const of = (owner: typeof ada, size: number) =>
      insertFile(app.dataSource, { ownerType: owner.type, ownerId: owner.id, size });
    const [one, two, three] = ['x', 'y', 'z'].map((id) => ({ type: 'user', id: `${id}-${number}` }));
    const [a] = [await of(one!, 10), await of(one!, 20), await of(two!, 30), await of(two!, 40), await of(three!, 50)];
    await files.delete(a);
    expect(await row(one!)).toMatchObject({ bytes: 20, count: 1 });
    const b = await of(two!, 5);
    await files.transferOwnership(b, { ownerType: 'user', ownerId: three!.id });
    expect(await row(two!)).toMatchObject({ bytes: 70, count: 2 });
    expect(await row(three!)).toMatchObject({ bytes: 55, count: 2 });
  });

  it('follows files that are moved, replaced and deleted', async () => {
    const [file, other] = [await create(100), await create(50)];
    const eve = { type: 'user', id: `eve-${number}` };
    await files.transferOwnership([file.id, other.id], { ownerType: 'user', ownerId: eve.id });
    expect([await quotas.usage(ada), await quotas.usage(eve)]).toEqual([
      { bytes: 0, count: 0 },
      { bytes: 150, count: 2 },
    ]);
    await files.replace(file.id, bytes(900));
    expect(await row(eve)).toMatchObject({ bytes: 950, count: 2 });
    await expect(files.replace(file.id, bytes(951))).rejects.toMatchObject(exceeded('bytes'));
    await expect(files.replace(file.id, Readable.from([]), { size: 951 })).rejects.toMatchObject(exceeded('bytes'));
    expect(await row(eve)).toMatchObject(await real(eve));
    await files.delete(file.id);
    expect(await row(eve)).toMatchObject({ bytes: 50, count: 1 });
    await files.transferOwnership(other.id, { ownerType: 'nobody', ownerId: 'at all' });
    expect(await row(eve)).toMatchObject({ bytes: 0, count: 0 });
  });

  it('refuses a transfer that does not fit, and leaves a unit of work usable that catches it', async () => {
    await create(950);
    const file = await create(60, null);
    await app.queue.run(async () => {
      const refused = files.transferOwnership(file.id, { ownerType: 'user', ownerId: ada.id });
      await expect(refused).rejects.toMatchObject(exceeded('bytes'));
    });
    expect(await files.findOrFail(file.id)).toMatchObject({ ownerType: null });
    expect(await files.history(file.id)).toHaveLength(1);
    expect(await row(ada)).toMatchObject({ bytes: 950, count: 1 });
  });

  it('counts files of several actors once for an owner that was not counted before', async () => {
    const actor = () => ({ type: 'user', id: '1' });
    async function* several() {
      for (const size of [10, 20]) yield { content: bytes(size), name: 'a.txt', owner: ada, actor: actor() };
    }
    const made = await files.createAll(several());
    expect(await row(ada)).toMatchObject({ bytes: 30, count: 2 });
    for (const { id } of made) expect(await files.history(id)).toMatchObject([{ actorType: 'user', actorId: '1' }]);
  });

  it('is undone with the unit of work', async () => {
    await create(10);
    const failed = app.queue.run(async () => {
      await create(10);
      throw new Error('later');
    });
    await expect(failed).rejects.toThrow('later');
    expect(await row(ada)).toMatchObject({ bytes: 10, count: 1 });
  });

  it('refuses a record that names too much with 413, and saves nothing', async () => {
    const owner = { type: 'user', id: 'ada' };
    const [fits, large] = [await create(100, owner), await create(101, owner)];
    const before = await app.dataSource.getRepository(Crate).count();
    const refused = await app.send('/crates', { attachmentId: large.id });
    expect([refused.status, refused.body['code']]).toEqual([413, 'FILES_QUOTA_EXCEEDED']);
    expect(await app.dataSource.getRepository(Crate).count()).toBe(before);
    const saved = await app.send('/crates', { attachmentId: fits.id });
    expect(saved.status).toBe(201);
    const crate = { type: 'crate', id: String(saved.body['id']) };
    expect(await row(crate)).toMatchObject({ bytes: 100, count: 1 });
    // What goes makes room for what comes.
    const next = await create(90, owner);
    expect((await app.send('/crates', { id: saved.body['id'], attachmentId: next.id })).status).toBe(201);
    expect(await row(crate)).toMatchObject({ bytes: 90, count: 1 });
    expect(await row(owner)).toMatchObject(await real(owner));
  });

  it('counts down with an owner whose files are released, and with explicit tasks', async () => {
    const loan = await app.dataSource.manager.save(new Loan());
    const owner = { type: 'loan', id: loan.id };
    const file = await create(40);
    await app.queue.run(() => app.queue.add(new OwnershipTransferTask(file.id, 'loan', loan.id, 'value')));
    expect([await row(owner), await row(ada)]).toMatchObject([{ bytes: 40, count: 1 }, { bytes: 0 }]);
    await app.dataSource.getRepository(Loan).remove(loan);
    expect(await row(owner)).toMatchObject({ bytes: 0, count: 0 });
  });

  it('comes from a function, which may give none', async () => {
    const [team, free] = [
      { type: 'team', id: `t-${number}` },
      { type: 'team', id: 'free' },
    ];
    await create(5000, team);
    await expect(create(1, team)).rejects.toMatchObject(exceeded('count'));
    await create(1, free);
    await create(1, free);
  });

  it('is asked for before the row of any owner is locked', async () => {
    const owners = ['a', 'b'].map((id) => ({ type: 'team', id: `${id}-${number}` }));
    const ids = [(await create(1, null)).id, (await create(1, null)).id];
    const found: unknown[] = [];
    asked = async () => found.push(await Promise.all(owners.map(row)));
    await app.queue.run(() => {
      for (const [at, { type, id }] of owners.entries())
        app.queue.add(new OwnershipTransferTask(ids[at]!, type, id, 'value'));
    });
    asked = () => Promise.resolve();
    expect(found).toEqual([
      [null, null],
      [null, null],
    ]);
    expect(await Promise.all(owners.map(row))).toMatchObject([{ count: 1 }, { count: 1 }]);
  });

  it('refuses before the content is read where its size is known, or nothing fits any more', async () => {
    let isRead = false;
    const content = () =>
      new Readable({
        read() {
          isRead = true;
          this.push(null);
        },
      });
    await expect(files.create(content(), { name: 'a', owner: ada, room: 1001 })).rejects.toMatchObject(
      exceeded('bytes'),
    );
    await expect(quotas.assertRoom(ada, 1001)).rejects.toMatchObject(exceeded('bytes'));
    await quotas.assertRoom(ada, 1000);
    await quotas.assertRoom({ type: 'group', id: '1' }, 1e12);
    await quotas.assertRoom(null, 1e12);
    expect(isRead).toBe(false);
  });

  /** Content whose length nobody knows, and how much of it was asked for. */
  const unannounced = (size: number) => {
    const source = { given: 0, content: new Readable({ highWaterMark: 100, read: next }) };
    function next() {
      if (source.given >= size) return void source.content.push(null);
      source.given += 100;
      source.content.push(bytes(100));
    }
    return source;
  };

  /** How many bytes the storage was given. */
  const written = async (work: () => Promise<unknown>) => {
    let count = 0;
    const write = app.storage.write.bind(app.storage);
    const spy = vi.spyOn(app.storage, 'write').mockImplementation((location, content) => {
      async function* counted() {
        for await (const chunk of content as AsyncIterable<Buffer>) {
          count += chunk.length;
          yield chunk;
        }
      }
      return write(location, Readable.from(counted()));
    });
    await work();
    spy.mockRestore();
    return count;
  };

  it('reads no more of a new file than fits', async () => {
    await create(300);
    const source = unannounced(60_000);
    const count = await written(async () => {
      await expect(files.create(source.content, { name: 'a', owner: ada })).rejects.toMatchObject(exceeded('bytes'));
    });
    // The first bytes are looked at before anything is stored.
    expect(count).toBe(0);
    expect(source.given).toBeLessThan(2000);
    expect(await row(ada)).toMatchObject({ bytes: 300, count: 1 });
    await files.create(unannounced(700).content, { name: 'a', owner: ada });
    expect(await row(ada)).toMatchObject({ bytes: 1000, count: 2 });
  });

  it('reads no more of new content than fits in place of the old', async () => {
    const file = await create(600);
    await create(300);
    const source = unannounced(60_000);
    await expect(files.replace(file.id, source.content)).rejects.toMatchObject(exceeded('bytes'));
    expect(source.given).toBeLessThan(2000);
    await files.replace(file.id, unannounced(700).content);
    expect(await row(ada)).toMatchObject({ bytes: 1000, count: 2 });
  });

  it('lets an owner that has too much replace a file by a smaller one', async () => {
    const file = await create(600);
    await insertFile(app.dataSource, { ownerType: ada.type, ownerId: ada.id, size: 5000 });
    await quotas.recount(ada);
    await files.replace(file.id, unannounced(500).content);
    await expect(files.replace(file.id, unannounced(600).content)).rejects.toMatchObject(exceeded('bytes'));
    expect(await row(ada)).toMatchObject({ bytes: 5500, count: 2 });
  });

  it('reads no more of several files than fits', async () => {
    const sources = [400, 400, 60_000].map(unannounced);
    async function* several(owner = ada) {
      for (const { content } of sources) yield { content, name: 'a', owner };
    }
    await expect(files.createAll(several())).rejects.toMatchObject(exceeded('bytes'));
    expect(sources[2]!.given).toBeLessThan(1000);
    expect(await count()).toBe(0);
    async function* both() {
      yield { content: bytes(600), name: 'a', owner: ada, room: 1000 };
      yield { content: bytes(400), name: 'b', owner: ada, room: 1000 };
    }
    expect(await files.createAll(both())).toHaveLength(2);
  });

  it('lets an owner that has too much lose some of it', async () => {
    for (const size of [5000, 10]) await insertFile(app.dataSource, { ownerType: ada.type, ownerId: ada.id, size });
    const [first] = await app.dataSource.getRepository(ManagedFile).findBy({ ownerId: ada.id, size: 10 });
    await files.delete(first!.id);
    expect(await row(ada)).toMatchObject({ bytes: 5000, count: 1 });
    await expect(create(1)).rejects.toMatchObject(exceeded('bytes'));
  });

  it('is counted again after a change that bypassed it', async () => {
    await create(10);
    await app.dataSource.getRepository(ManagedFile).update({ ownerId: ada.id }, { size: 700 });
    expect(await quotas.recount(ada)).toEqual({ bytes: 700, count: 1 });
    expect(await row(ada)).toMatchObject({ bytes: 700, count: 1 });
  });

  it.skipIf(database.kind === 'memory')(
    'is counted again beside a transaction that has changed a file and waits for the count',
    async () => {
      const { id } = await create(10);
      const [changed, counted] = [gate(), gate()];
      const other = app.dataSource.transaction(async (manager) => {
        await manager.update(ManagedFile, { id }, { size: 30 });
        changed.open();
        await counted.opened;
        await quotas.charge(manager, [{ owner: ada, bytes: 20, count: 0 }]);
      });
      await changed.opened;
      expect(await quotas.recount(ada)).toEqual({ bytes: 10, count: 1 });
      counted.open();
      await other;
      expect(await row(ada)).toMatchObject({ bytes: 30, count: 1 });
    },
  );

  it('keeps count while files come, move and go at once', async () => {
    const owners = [1, 2, 3].map((at) => ({ type: 'user', id: `busy-${number}-${at}` }));
    const random = (below: number) => Math.floor(Math.random() * below);
    const worker = async () => {
      for (let round = 0; round < 6; round++) {
        try {
          const file = await create(1 + random(40), owners[random(3)]);
          const to = owners[random(3)]!;
          if (random(2)) await files.transferOwnership(file.id, { ownerType: 'user', ownerId: to.id });
          if (random(2)) await files.delete(file.id);
        } catch (error) {
          expect(error).toMatchObject({ code: 'FILES_QUOTA_EXCEEDED' });
        }
      }
    };
    await Promise.all(Array.from({ length: 6 }, worker));
    for (const owner of owners) {
      const counted = await row(owner);
      expect({ bytes: counted?.bytes ?? 0, count: counted?.count ?? 0 }).toEqual(await real(owner));
    }
  });

  it('costs nothing where the owner type has no quota', async () => {
    app.statements.length = 0;
    const file = await create(10, { type: 'group', id: '1' });
    await files.transferOwnership(file.id, { ownerType: 'group', ownerId: '2' });
    await files.delete(file.id);
    expect(app.statements.filter((sql) => /usage|SUM\(/i.test(sql))).toEqual([]);
  });
});

describe('the option', () => {
  it.each([
    [{ user: {} }, /limits neither bytes nor count/],
    [{ user: { bytes: '1 apple' } }, /no number of bytes/],
    [{ user: { count: -1 } }, /no number of files/],
    [{ user: { count: 1.5 } }, /no number of files/],
    [{ user: { size: 1 } }, /no limit "size"/],
    [{ user: 5 }, /must be like/],
  ])('is refused at boot: %j', (quotas, reason) => {
    expect(() => readQuotas(quotas as never)).toThrow(reason);
  });

  it.each(PLATFORMS)('answers 413 on %s, before the content is sent where its size is declared', async (platform) => {
    const app = await startApp({ platform, options: { quotas: { user: { bytes: '2MiB' } } } });
    const upload = (size: number) => app.fetch('/files', { method: 'POST', user: 'ada', body: formWith(bytes(size)) });
    expect((await upload(2 * 1024 * 1024)).status).toBe(201);
    const refused = await upload(1);
    expect([refused.status, await refused.json()]).toMatchObject([413, { code: 'FILES_QUOTA_EXCEEDED' }]);

    const announced = openUpload(app, { 'content-length': 4 * 1024 * 1024 });
    announced.write(FILE_PART);
    expect(await answerTo(announced)).toMatchObject({ status: 413, body: { code: 'FILES_QUOTA_EXCEEDED' } });
    announced.destroy();
    expect(await app.stored()).toHaveLength(1);
  });

  it.each(PLATFORMS)('limits on %s the bytes written of a body without a length', async (platform) => {
    const storage = memoryStorage();
    const app = await startApp({
      platform,
      options: { storages: { default: storage }, quotas: { user: { bytes: '1MB' } } },
    });
    const written: number[] = [];
    const write = storage.write.bind(storage);
    vi.spyOn(storage, 'write').mockImplementation((location, content) => {
      const at = written.push(0) - 1;
      async function* counted() {
        for await (const chunk of content as AsyncIterable<Buffer>) {
          written[at]! += chunk.length;
          yield chunk;
        }
      }
      return write(location, Readable.from(counted()));
    });
    const { id } = await uploadFile(app, 'anna', formWith(bytes(600_000)));
    const huge = bytes(16 * 1024 * 1024);
    const form = openUpload(app);
    form.on('error', () => {});
    const answer = answerTo(form);
    form.write(FILE_PART.slice(0, -2));
    form.end(huge);
    expect(await answer).toMatchObject({ status: 413, body: { code: 'FILES_QUOTA_EXCEEDED' } });

    const replaced = request(`${app.url}/files/${id}/content`, { method: 'PUT', headers: { 'x-user': 'anna' } });
    replaced.on('error', () => {});
    // Node has no listener for errors of a connection while it hands it back to the agent, and the server ends this
    // one.
    replaced.on('socket', (socket) => socket.on('error', () => {}));
    const refusal = answerTo(replaced);
    replaced.write('x');
    replaced.end(huge);
    expect(await refusal).toMatchObject({ status: 413, body: { code: 'FILES_QUOTA_EXCEEDED' } });
    const [first, ...refused] = written;
    expect(first).toBe(600_000);
    expect(refused).toHaveLength(2);
    expect(Math.min(...refused)).toBeGreaterThan(0);
    expect(refused[0]).toBeLessThanOrEqual(400_000);
    expect(refused[1]).toBeLessThanOrEqual(1_000_000);
  });

  it('counts as docs/ownership.md says', async () => {
    const plans = { quotaOf: (id: string) => (id === '1' ? { count: 1 } : null) };
    const app = await startApp({
      // prettier-ignore
      module:
FilesModule.forRoot({
  storages: { default: fsStorage({ root: 'var/files' }) },
  quotas: { user: { bytes: '1GiB', count: 1000 }, package: (id) => plans.quotaOf(id) },
}),
    });
    const [quotas, one, two] = [app.app.get(Quotas), { type: 'package', id: '1' }, { type: 'package', id: '2' }];
    await expect(quotas.assertRoom(one, 0, 2)).rejects.toMatchObject(exceeded('count'));
    await expect(quotas.assertRoom({ type: 'user', id: 'ada' }, 2 ** 31)).rejects.toMatchObject(exceeded('bytes'));
    await expect(quotas.assertRoom(two, 2 ** 31, 2000)).resolves.toBeUndefined();
  });
});
