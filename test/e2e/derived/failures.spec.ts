import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Injectable, Logger } from '@nestjs/common';
import { FilesAudit, FilesDrafts, FilesSweeper } from 'nestjs-files/maintenance';
import type { DraftsReport } from 'nestjs-files/maintenance';
import { DerivedFile } from 'nestjs-files/hooks';
import { In } from 'typeorm';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Derivations } from '../../../lib/derivation/derivations.js';
import { DerivedRecipes } from '../../../lib/files/derived/derived-recipes.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { derivedApp, Previews } from '../../support/derived-app.js';
import { gate } from '../../support/gate.js';
import { formWith, uploadFile } from '../../support/http-app.js';
import { HELD, holdTimers } from '../../support/held-time.js';
import { storageWith } from '../../support/storage-with.js';

afterEach(() => vi.restoreAllMocks());

const unavailable = { code: 'FILES_DERIVED_FILE_MISSING', reason: 'failed' };

async function findings(app: Awaited<ReturnType<typeof derivedApp>>): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const finding of app.app.get(FilesAudit).run({ deep: true })) found.push(finding);
  return found;
}

describe('expired drafts that cannot be deleted', () => {
  // A thumbnail of each of the first ones is in a storage that has left the configuration.
  async function withLost(count: number, others: number, batch: number) {
    const app = await derivedApp({ options: { drafts: { expireAfter: '7d' }, sweeper: { batch } } });
    const ids: string[] = [];
    for (let made = 0; made < count + others; made++) ids.push((await uploadFile(app, 'anna', formWith('hello'))).id);
    for (const id of ids) await app.preview(id);
    await app.idle();
    const lost = ids.slice(0, count);
    await app.rows.update({ ownerType: 'file', ownerId: In(lost) }, { storage: 'gone' });
    const left = async () => (await app.rows.find({ where: { ownerType: 'user' } })).map(({ id }) => id).toSorted();
    for (const [at, id] of ids.entries()) await app.rows.update({ id }, { expiresAt: new Date(at) });
    return { ...app, lost, left };
  }

  it.each([1, 2, 100])('do not keep the others, in sweeps with batches of %i', async (batch) => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockReturnValue();
    const { app, lost, left } = await withLost(3, 3, batch);
    expect(await app.get(FilesSweeper).sweep()).toMatchObject({ expired: 3, failed: 3 });
    expect(await left()).toEqual(lost.toSorted());
    expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(/^Could not sweep 3 .* storage "gone"/));
    expect(await app.get(FilesSweeper).sweep()).toMatchObject({ expired: 0, failed: 3 });
  });

  it('do not keep the others either if they are expired by hand, which then rejects', async () => {
    const { app, lost, left } = await withLost(1, 2, 100);
    const onProgress = vi.fn<(report: DraftsReport) => void>();
    const expired = app.get(FilesDrafts).expire({ onProgress });
    await expect(expired).rejects.toMatchObject({ code: 'FILES_FILE_STORAGE_MISSING' });
    expect(onProgress).toHaveBeenLastCalledWith({ expired: 2, bytes: 10, kept: 0 });
    expect(await left()).toEqual(lost);
  });
});

describe('a derivation that fails', () => {
  it('is tried again', async () => {
    const app = await derivedApp();
    app.previews.script = async (content, _, run) => {
      if (run === 1) throw new Error('not now');
      return Buffer.from(await text(content));
    };
    expect(await app.preview((await app.create('hello')).id)).toBe('hello');
  });

  it('for good is refused with a clear error, is among the failed jobs, and is not tried again by asking', async () => {
    const app = await derivedApp();
    app.previews.script = () => {
      throw new Error('a broken image');
    };
    const { id } = await app.create('hello');
    await app.idle();
    const original = await app.files.findOrFail(id);
    await expect(app.derived.request(original, 'preview')).rejects.toMatchObject(unavailable);
    expect(await app.derived.find(original, 'preview')).toBeUndefined();
    const [failed] = await app.failed.failed();
    expect(failed).toMatchObject({ name: 'nestjs-files.derive.preview', payload: { fileId: id }, attempts: 2 });
    expect(failed!.error).toContain('a broken image');
    expect([app.previews.runs, await app.jobs.countBy({ state: 'open' })]).toEqual([2, 0]);
    expect(await findings(app)).toEqual([]);
  });

  it('can be run again by its job, by remaking it, and by new content', async () => {
    const app = await derivedApp();
    const works = app.previews.script;
    const ids: string[] = [];
    app.previews.script = () => {
      throw new Error('no');
    };
    for (const content of ['one', 'two', 'three']) ids.push((await app.create(content)).id);
    await app.idle();
    app.previews.script = works;
    const failed = await app.failed.failed();
    await app.failed.retry(failed.find(({ payload }) => (payload as { fileId: string }).fileId === ids[0])!.id);
    await app.derived.remake(await app.files.findOrFail(ids[1]!), 'preview');
    await app.files.replace(ids[2]!, Buffer.from('new'));
    expect(await Promise.all(ids.map(app.preview))).toEqual(['preview of one', 'preview of two', 'preview of new']);
    await app.idle();
    expect([await app.rows.countBy({ ownerType: 'file' }), (await app.kept()).length]).toEqual([3, 6]);
  });

  it('leaves what there is, where it was to be made again, and takes its place when it succeeds, in another second', async () => {
    const app = await derivedApp();
    const { id } = await app.create('hello');
    await app.preview(id);
    const original = await app.files.findOrFail(id);
    const before = await app.derived.find(original, 'preview');
    app.previews.script = () => Promise.reject(new Error('no'));
    await app.derived.remake(original, 'preview');
    await app.idle();
    expect(await app.derived.find(original, 'preview')).toMatchObject({ id: before!.id });
    app.previews.script = () => Buffer.from('better');
    await app.derived.remake(original, 'preview');
    await app.idle();
    const after = await app.derived.find(original, 'preview');
    expect(await text(await app.files.stream(after!))).toBe('better');
    expect(Math.floor(after!.replacedAt!.getTime() / 1000)).toBeGreaterThan(
      Math.floor(before!.replacedAt!.getTime() / 1000),
    );
    expect([await app.rows.count(), (await app.kept()).length]).toEqual([2, 2]);
  });

  it('is known to have failed before its last attempt ends, which may end the process', async () => {
    const app = await derivedApp();
    const { opened, open } = gate();
    const { id } = await app.create('hello');
    await app.preview(id);
    await app.idle();
    const original = await app.files.findOrFail(id);
    await app.files.delete((await app.derived.find(original, 'preview'))!.id);
    app.previews.script = async (content) => {
      await opened;
      return Buffer.from(await text(content));
    };
    const recipe = app.app.get(DerivedRecipes).find('preview')!;
    const { signal } = new AbortController();
    const run = app.app.get(Derivations).run(recipe, { fileId: id }, { id: 'x', attempt: 2, signal });
    await app.previews.begun(2);
    await expect(app.derived.request(original, 'preview')).rejects.toMatchObject(unavailable);
    open();
    await run;
    expect(await app.preview(id)).toBe('hello');
    expect([await app.rows.count(), (await app.kept()).length]).toEqual([2, 2]);
  });

  it('is not waited for, where the content breaks off that it pipes, nor after its timeout', async () => {
    const pass = holdTimers();
    @Injectable()
    class Slow {
      readonly signals: AbortSignal[] = [];
      @DerivedFile('slow', { from: 'text', attempts: 2, backoff: 1, timeout: HELD })
      async slow(content: Readable, { signal }: { signal: AbortSignal }) {
        this.signals.push(signal);
        const aborted = once(signal, 'abort');
        pass();
        await aborted;
        return content;
      }
    }
    // It has less than it was given.
    const short = storageWith({ read: () => Promise.resolve(Readable.from([Buffer.from('hell')])) });
    const app = await derivedApp({
      providers: [Slow, Previews],
      options: { storages: { default: memoryStorage(), short } },
    });
    app.previews.script = (content) => content.pipe(new PassThrough());
    const { id } = await app.files.create(Buffer.from('hello'), { name: 'a.txt', storage: 'short' });
    await vi.waitFor(async () => expect(await app.failed.failed()).toHaveLength(2), { timeout: 20_000 });
    const original = await app.files.findOrFail(id);
    await expect(app.derived.request(original, 'slow')).rejects.toMatchObject({ ...unavailable, kind: 'slow' });
    expect(app.app.get(Slow).signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });
});

it('is refused where its method gives null, without a failed job', async () => {
  const app = await derivedApp();
  app.previews.script = () => null;
  const { id } = await app.create('hello');
  await app.idle();
  await expect(app.derived.request(await app.files.findOrFail(id), 'preview')).rejects.toMatchObject(unavailable);
  expect([await app.failed.failed(), app.previews.runs]).toEqual([[], 1]);
});

it('fails for content that its storage does not take, and that is remembered in this storage all the same', async () => {
  const texts = memoryStorage({ acceptedTypes: ['text/plain'] });
  const app = await derivedApp({ options: { storages: { default: texts } } });
  app.previews.script = () => Buffer.from('%PDF-1.7\n');
  const { id } = await app.create('hello');
  await app.idle();
  await expect(app.derived.request(await app.files.findOrFail(id), 'preview')).rejects.toMatchObject(unavailable);
  expect((await app.failed.failed())[0]!.error).toContain('application/pdf');
});

describe('a file in a storage with a scanner', () => {
  it('is derived from once it is clean, and what is derived is scanned, too', async () => {
    const app = await derivedApp();
    const { opened, open } = gate();
    app.scanner.script = async (content, _, attempt) => {
      await text(content);
      if (attempt === 1) await opened;
      return { clean: true };
    };
    const { id } = await app.create('hello', 'scanned');
    await app.scanner.begun(1);
    const pending = await app.files.findOrFail(id);
    await expect(app.derived.request(pending, 'preview')).rejects.toMatchObject({ code: 'FILES_FILE_PENDING' });
    await app.queue.run(() => app.queue.enqueue('nestjs-files.derive.preview', { fileId: id }));
    await expect.poll(() => app.jobs.countBy({ name: 'nestjs-files.derive.preview' })).toBe(0);
    expect(app.previews.runs).toBe(0);
    open();
    await app.idle();
    expect(await app.preview(id)).toBe('preview of hello');
    const [preview] = await app.rows.findBy({ ownerType: 'file' });
    expect(preview).toMatchObject({ scan: 'clean', storage: 'scanned' });
    expect([app.previews.runs, app.scanner.scans]).toEqual([1, 2]);
  });

  it('is not derived from if it is infected, and loses what was derived if that is found later', async () => {
    const app = await derivedApp();
    const { FilesScans } = await import('nestjs-files/scan');
    const infected = await app.create('a virus', 'scanned');
    const { id } = await app.create('hello', 'scanned');
    await app.preview(id);
    await app.idle();
    expect(app.previews.runs).toBe(1);
    const refused = app.derived.request(await app.files.findOrFail(infected.id), 'preview');
    await expect(refused).rejects.toMatchObject({ code: 'FILES_FILE_INFECTED' });
    app.scanner.script = () => ({ clean: false, finding: 'New.Virus' });
    await app.app.get(FilesScans).rescan({ states: ['clean'], filters: { id } });
    await app.idle();
    expect(await app.rows.countBy({ ownerType: 'file' })).toBe(0);
    app.scanner.script = undefined;
    await app.app.get(FilesScans).rescan({ states: ['infected'], filters: { id } });
    expect(await app.preview(id)).toBe('preview of hello');
  });

  it('keeps what was derived, and refuses it, while its own scan is repeated elsewhere', async () => {
    const app = await derivedApp();
    const { id } = await app.create('hello');
    await app.preview(id);
    await app.idle();
    const { opened, open } = gate();
    app.scanner.script = async (content) => {
      await text(content);
      await opened;
      return { clean: true };
    };
    const moved = await app.files.move(id, 'scanned');
    await expect(app.derived.request(moved, 'preview')).rejects.toMatchObject({ code: 'FILES_FILE_PENDING' });
    open();
    await app.idle();
    expect([await app.preview(id), app.previews.runs]).toEqual(['preview of hello', 1]);
  });
});

it('whose original was removed by SQL is found by the audit', async () => {
  const app = await derivedApp();
  const { id } = await app.create('hello');
  await app.preview(id);
  await app.idle();
  const [preview] = await app.rows.findBy({ ownerType: 'file' });
  await app.dataSource.query(`DELETE FROM files_file WHERE id = '${id}'`);
  expect(await findings(app)).toEqual([
    { kind: 'owner-gone', fileId: preview!.id, owner: { type: 'file', id }, pinned: false },
  ]);
});
