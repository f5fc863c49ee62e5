import { text } from 'node:stream/consumers';
import { FilesService, ManagedFile } from 'nestjs-files';
import { DirectUploads } from 'nestjs-files/uploads';
import { FilesAudit, FilesDrafts, FilesMover } from 'nestjs-files/maintenance';
import type { ScanningOptions } from 'nestjs-files/scan';
import { IsNull, Not } from 'typeorm';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ByteRemovals } from '../../../lib/files/content/byte-removals.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { reachableDatabases } from '../../support/databases.js';
import type { TestDatabase } from '../../support/databases.js';
import { directStorage } from '../../support/direct-storage.js';
import { gate } from '../../support/gate.js';
import { formWith, startApp, uploadFile } from '../../support/http-app.js';
import { ScriptedScanner } from '../../support/scripted-scanner.js';

const ANNA = { type: 'user', id: 'anna' };

async function world(kind: TestDatabase, scanning: ScanningOptions = {}) {
  const { options: database, drop } = await kind.create();
  onTestFinished(() => drop());
  const scanner = new ScriptedScanner();
  const direct = directStorage({ partSize: 100, scan: scanner });
  const memory = memoryStorage({ scan: scanner });
  const app = await startApp({
    database,
    options: {
      storages: { default: memory, direct: direct.storage, same: memoryStorage({ scan: scanner }) },
      scanning: { attempts: 2, backoff: 1, ...scanning },
      drafts: { expireAfter: '7d' },
      sweeper: false,
    },
  });
  const files = app.app.get(FilesService);
  const rows = app.dataSource.getRepository(ManagedFile);
  return {
    ...app,
    scanner,
    direct,
    files,
    rows,
    drafts: app.app.get(FilesDrafts),
    uploads: app.app.get(DirectUploads),
    upload: (content: string) => uploadFile(app, 'anna', formWith(content)),
    becomes: (id: string, scan: string) =>
      vi.waitFor(async () => expect(await rows.findOneByOrFail({ id })).toMatchObject({ scan }), { timeout: 20_000 }),
    /** The time of all drafts is over. */
    later: () => rows.update({ expiresAt: Not(IsNull()) }, { expiresAt: new Date(Date.now() - 1) }),
    jobsAreDone: () =>
      vi.waitFor(async () => expect(await app.dataSource.query('SELECT id FROM files_job')).toEqual([]), {
        timeout: 20_000,
      }),
    locations: async () => {
      await app.app.get(ByteRemovals).idle();
      const found: string[] = [];
      for await (const { location } of memory.list()) found.push(location);
      return [...found, ...(await direct.locations())];
    },
    findings: async () => {
      const findings: unknown[] = [];
      for await (const finding of app.app.get(FilesAudit).run({ bytes: true })) findings.push(finding);
      return findings;
    },
  };
}

/** Verdicts wait for the test. */
function hold(scanner: ScriptedScanner): () => void {
  const { opened, open } = gate();
  scanner.script = async (content) => {
    const found = await text(content);
    await opened;
    return found.includes('virus') ? { clean: false, finding: 'Scripted.Virus' } : { clean: true };
  };
  return open;
}

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('drafts and a scanner on $name', (kind) => {
  it('expires drafts that are pending, infected or without bytes, and the verdict that comes later is nobody’s', async () => {
    const app = await world(kind, { infected: 'remove' });
    const infected = await app.upload('a virus');
    await app.becomes(infected.id, 'infected');
    const open = hold(app.scanner);
    const before = app.scanner.scans;
    const pending = await app.upload('hello');
    expect([pending['scan'], pending['expiresAt']]).toEqual(['pending', expect.any(String)]);
    await app.scanner.begun(before + 1);
    await app.later();
    expect(await app.drafts.expire()).toMatchObject({ expired: 2, kept: 0 });
    open();
    await app.jobsAreDone();
    expect(await app.rows.count()).toBe(0);
    expect(await app.locations()).toEqual([]);
    expect(await app.findings()).toEqual([]);
  });

  it('makes a direct upload a pending draft, whose scan leaves its time as it is', async () => {
    const app = await world(kind);
    const open = hold(app.scanner);
    const begun = await app.uploads.begin({ name: 'a.txt', size: 5, storage: 'direct', actor: ANNA });
    app.direct.send((begun as unknown as { url: string }).url, 'hello');
    const file = await app.uploads.complete(begun.id);
    expect([file.scan, file.expiresAt]).toEqual(['pending', expect.any(Date)]);
    open();
    await app.becomes(file.id, 'clean');
    expect((await app.rows.findOneByOrFail({ id: file.id })).expiresAt).toEqual(file.expiresAt);
    await app.later();
    // A call that is repeated after the answer was lost.
    const [again] = await Promise.allSettled([app.uploads.complete(begun.id), app.drafts.expire()]);
    if (again.status === 'rejected') expect(again.reason).toMatchObject({ code: 'FILES_UPLOAD_NOT_FOUND' });
    await expect(app.uploads.complete(begun.id)).rejects.toMatchObject({ code: 'FILES_UPLOAD_NOT_FOUND' });
    expect(await app.rows.count()).toBe(0);
    expect(await app.locations()).toEqual([]);
  });

  it('keeps the time of drafts that are moved many at once, and gives none to copies', async () => {
    const app = await world(kind);
    const made = [await app.upload('one'), await app.upload('two')];
    for (const { id } of made) await app.becomes(id, 'clean');
    const times = async () =>
      (await app.rows.find({ where: { ownerId: 'anna' }, order: { id: 'ASC' } })).map(({ expiresAt }) => expiresAt);
    const before = await times();
    for await (const { kind: became } of app.app.get(FilesMover).run({ from: 'default', to: 'same' }))
      expect(became).toBe('moved');
    expect(await times()).toEqual(before);
    expect(before).toEqual([expect.any(Date), expect.any(Date)]);
    const copies = await app.files.copyAll(ANNA, { type: 'user', id: 'ben' });
    await app.later();
    expect(await app.drafts.expire()).toMatchObject({ expired: 2 });
    expect((await app.rows.find()).map(({ id }) => id).toSorted()).toEqual([...copies.values()].toSorted());
    expect(await app.findings()).toEqual([]);
  });

  it('deletes each draft once, by its expiry or by deleteAll()', async () => {
    const app = await world(kind);
    const ids: string[] = [];
    for (let n = 0; n < 6; n++) ids.push((await app.upload(`file ${n}`)).id);
    await app.jobsAreDone();
    await app.later();
    const [deleted, report] = await Promise.allSettled([app.files.deleteAll(ids), app.drafts.expire()]);
    if (deleted.status === 'rejected') expect(deleted.reason).toMatchObject({ code: 'FILES_FILE_NOT_FOUND' });
    const expired = report.status === 'fulfilled' ? report.value.expired : -1;
    await app.drafts.expire();
    expect(await app.rows.count()).toBe(0);
    expect([0, 6]).toContain(expired);
    for (const id of ids) expect((await app.files.history(id)).map(({ action }) => action)).toHaveLength(2);
    expect(await app.locations()).toEqual([]);
  });
});
