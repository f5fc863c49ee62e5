import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import type { DataSource } from 'typeorm';
import { listens, reachableDatabases } from '../../support/databases.js';
import type { TestDatabase } from '../../support/databases.js';
import { derivedApp, Previews } from '../../support/derived-app.js';
import type { DerivedAppOptions } from '../../support/derived-app.js';
import { gate } from '../../support/gate.js';
import { emptyRedis, loginOf, pgBossEnded, REDIS, startEngine, tablesOf } from '../../support/job-engines.js';
import type { EngineTask, Login } from '../../support/job-engines.js';
import { storageWith } from '../../support/storage-with.js';

interface Target {
  readonly name: string;
  readonly kind: TestDatabase;
  /** @default outboxJobs(), as an application has it */
  readonly task?: (login: Login) => EngineTask;
}

const times = { poll: 20, lease: 10_000 };
const kinds = await reachableDatabases();
const targets: Target[] = kinds.map((kind) => ({ name: kind.name, kind }));
for (const kind of kinds.filter((one) => one.kind === 'postgres')) {
  const add = (engine: string, task: Target['task']) =>
    targets.push({ name: `${kind.name} with ${engine}`, kind, task });
  for (const version of [10, 12] as const)
    add(`pg-boss ${version}`, (login) => ({ engine: 'pgBossJobs', version, login, ...times }));
  add('graphile-worker', () => ({ engine: 'graphileWorkerJobs', ...times }));
  if (await listens(REDIS.url))
    add('BullMQ', () => ({ engine: 'bullmqJobs', prefix: `files-test-${randomUUID()}`, ...times }));
}

describe.each(targets)('a derived file on $name', (target) => {
  async function world(options: DerivedAppOptions = {}) {
    const { options: database, drop } = await target.kind.create();
    onTestFinished(drop);
    const place = { dataSource: { options: database } as DataSource };
    const task = target.task?.(loginOf(place));
    if (!task) return derivedApp({ database, ...options });
    if ('prefix' in task) onTestFinished(() => emptyRedis(task.prefix));
    await tablesOf(task).prepare(place);
    const { engine, dispose } = await startEngine(task);
    onTestFinished(async () => {
      await dispose();
      if (task.engine === 'pgBossJobs') await pgBossEnded(task.login);
    });
    return derivedApp({ database, engine: { engine, task }, ...options });
  }

  it('is made of a new file, owned by it, and no draft', async () => {
    const app = await world({ options: { drafts: { expireAfter: '7d' } } });
    const original = await app.create('hello');
    expect(await app.preview(original.id)).toBe('preview of hello');
    const [preview] = await app.rows.findBy({ ownerType: 'file' });
    expect(preview).toMatchObject({
      ownerId: original.id,
      ownerField: 'preview',
      name: 'preview-a.txt',
      pinned: false,
    });
    expect(preview!.expiresAt).toBeNull();
    expect(await app.files.history(preview!.id)).toEqual([]);
  });

  it('is not made of a file of another type, nor of a derived file', async () => {
    const app = await world();
    await app.files.create(Buffer.from('%PDF-1.7\n'), { name: 'a.pdf' });
    const original = await app.create('hello');
    await app.preview(original.id);
    await app.idle();
    expect([app.previews.runs, await app.rows.count()]).toEqual([1, 3]);
  });

  it('goes with its original when that is deleted, alone, with others, or by an expired draft, and leaves no bytes', async () => {
    const app = await world();
    const [one, two, three] = [await app.create('one'), await app.create('two'), await app.create('three')];
    for (const { id } of [one, two, three]) await app.preview(id);
    await app.idle();
    await app.files.delete(one.id);
    const [preview] = await app.rows.findBy({ ownerType: 'file', ownerId: two.id });
    await app.files.deleteAll([two.id, preview!.id, three.id]);
    expect([await app.rows.count(), await app.kept(), await app.intents()]).toEqual([0, [], 0]);
  });

  it('is replaced with its original', async () => {
    const app = await world();
    const { id } = await app.create('old');
    expect(await app.preview(id)).toBe('preview of old');
    const [before] = await app.rows.findBy({ ownerType: 'file' });
    const { opened, open } = gate();
    app.previews.script = async (content) => {
      const found = await text(content);
      await opened;
      return Buffer.from(`preview of ${found}`);
    };
    await app.files.replace(id, Buffer.from('new'));
    expect(await app.derived.find(await app.files.findOrFail(id), 'preview')).toBeUndefined();
    expect(await app.rows.countBy({ ownerType: 'file' })).toBe(0);
    open();
    expect(await app.preview(id)).toBe('preview of new');
    const [after] = await app.rows.findBy({ ownerType: 'file' });
    expect(after!.replacedAt!.getTime() - before!.replacedAt!.getTime()).toBeGreaterThanOrEqual(1);
    await app.idle();
    expect(await app.kept()).toHaveLength(2);
  });

  it('of old content never stands for new content that came while it was made', async () => {
    const app = await world();
    const { opened, open } = gate();
    app.previews.script = async (content, _, run) => {
      const found = await text(content);
      if (run === 1) await opened;
      return Buffer.from(`preview of ${found}`);
    };
    const { id } = await app.create('old');
    await app.previews.begun(1);
    await app.files.replace(id, Buffer.from('new'));
    expect(await app.preview(id)).toBe('preview of new');
    open();
    await app.idle();
    expect(await app.preview(id)).toBe('preview of new');
    expect(await app.rows.countBy({ ownerType: 'file' })).toBe(1);
    expect([(await app.kept()).length, await app.intents()]).toEqual([2, 0]);
  });

  it('of old content is not found, and gives way, where a process without the method has replaced its original', async () => {
    const app = await world();
    const { id } = await app.create('old');
    await app.preview(id);
    await app.idle();
    const replacedAt = new Date(Date.now() + 1_000);
    await app.rows.update({ id }, { replacedAt });
    const original = await app.files.findOrFail(id);
    expect(await app.derived.find(original, 'preview')).toBeUndefined();
    expect(await app.derived.request(original, 'preview')).toBeUndefined();
    expect(await app.preview(id)).toBe('preview of old');
    expect([app.previews.runs, await app.rows.countBy({ ownerType: 'file' })]).toEqual([2, 1]);
  });

  it('is stored beside its original, or in the default storage where that cannot be written', async () => {
    const archive = storageWith(
      { read: () => Promise.resolve(Readable.from([Buffer.from('old')])) },
      { disable: ['write'] },
    );
    const app = await world({ options: { storages: { default: memoryStorage(), other: memoryStorage(), archive } } });
    const beside = await app.create('hello', 'other');
    await app.preview(beside.id);
    const { id } = await app.files.register('there', { name: 'a.txt', storage: 'archive' });
    expect(await app.preview(id)).toBe('preview of old');
    const found = await app.rows.find({ where: { ownerType: 'file' }, order: { id: 'ASC' } });
    expect(found.map(({ ownerId, storage }) => [ownerId, storage])).toEqual([
      [beside.id, 'other'],
      [id, 'default'],
    ]);
  });

  it('is not left behind where its original is deleted while it is made', async () => {
    const app = await world();
    const { opened, open } = gate();
    app.previews.script = async () => {
      await opened;
      return Buffer.from('late');
    };
    const { id } = await app.create('hello');
    await app.previews.begun(1);
    await app.files.delete(id);
    open();
    await app.idle();
    expect([await app.rows.count(), await app.kept(), await app.intents()]).toEqual([0, [], 0]);
  });

  it('is one, where several jobs make it at once', async () => {
    const app = await world();
    const { opened, open } = gate();
    app.previews.script = async (content) => {
      const found = await text(content);
      await opened;
      return Buffer.from(found);
    };
    const file = await app.create('hello');
    await app.queue.run(() => app.queue.enqueue('nestjs-files.derive.preview', { fileId: file.id }));
    await app.previews.begun(2);
    open();
    await app.idle();
    expect(await app.rows.countBy({ ownerType: 'file' })).toBe(1);
    expect([(await app.kept()).length, await app.intents(), await app.failed.failed()]).toEqual([2, 0, []]);
  });

  it('is made of each copy, and stays where its original is moved', async () => {
    const app = await world();
    const { id } = await app.create('hello');
    await app.preview(id);
    const copy = await app.files.copy(id, { owner: { type: 'package', id: '1' } });
    expect(await app.preview(copy.id)).toBe('preview of hello');
    const ids = await app.files.copyAll({ type: 'package', id: '1' }, { type: 'package', id: '2' });
    expect(await app.preview(ids.get(copy.id)!)).toBe('preview of hello');
    await app.files.move(id, 'other');
    await app.idle();
    expect(await app.preview(id)).toBe('preview of hello');
    expect([app.previews.runs, await app.rows.countBy({ ownerType: 'file' })]).toEqual([3, 3]);
  });

  it.skipIf(target.task)(
    'costs applications that derive nothing no statement, and no poll for jobs; others one for a deletion',
    async () => {
      const statementsOf = async (providers: NonNullable<DerivedAppOptions['providers']>): Promise<string[][]> => {
        const app = await world({ providers });
        const statements: string[] = [];
        const logged = { ...app.dataSource.logger, logQuery: (sql: string) => void statements.push(sql) };
        const silent = { logQueryError() {}, logQuerySlow() {}, logSchemaBuild() {}, logMigration() {}, log() {} };
        const during = async (work: () => Promise<unknown>): Promise<string[]> => {
          statements.length = 0;
          Object.assign(app.dataSource, { logger: { ...logged, ...silent } });
          await work();
          Object.assign(app.dataSource, { logger: { ...logged, ...silent, logQuery() {} } });
          return statements.filter((sql) => !sql.includes('files_job')).map((sql) => sql.trim().split(/\s/)[0]!);
        };
        let id = '';
        const content = '%PDF-1.7\n';
        return [
          await during(async () => ({ id } = await app.create(content))),
          await during(() => app.files.replace(id, Buffer.from(`${content} `))),
          await during(() => app.files.delete(id)),
        ];
      };
      const [created, replaced, deleted] = await statementsOf([]);
      const [created2, replaced2, deleted2] = await statementsOf([Previews]);
      expect(created2).toEqual(created);
      expect([replaced2!.length, deleted2!.length]).toEqual([replaced!.length + 1, deleted!.length + 1]);
    },
  );

  it('counts for no quota', async () => {
    const app = await world({ options: { quotas: { user: { bytes: 5, count: 1 } } } });
    const { id } = await app.create('hello');
    expect(await app.preview(id)).toBe('preview of hello');
  });
});

it('expires with a draft, and not by itself', async () => {
  const app = await derivedApp({ options: { drafts: { expireAfter: '1m' } } });
  const { FilesDrafts } = await import('nestjs-files/maintenance');
  const file = await app.files.create(Buffer.from('x'), {
    name: 'a.txt',
    owner: { type: 'user', id: 'a' },
    draft: true,
  });
  await app.preview(file.id);
  await app.idle();
  expect(await app.app.get(FilesDrafts).expire()).toMatchObject({ expired: 0 });
  await app.rows.update({ id: file.id }, { expiresAt: new Date(0) });
  expect(await app.app.get(FilesDrafts).expire()).toMatchObject({ expired: 1 });
  expect([await app.rows.count(), await app.kept()]).toEqual([0, []]);
});
