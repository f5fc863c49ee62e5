import { Readable } from 'node:stream';
import { HealthIndicatorService } from '@nestjs/terminus';
import { FilesService, ManagedFile } from 'nestjs-files';
import { FilesHealthIndicator } from 'nestjs-files/health';
import { DerivedFiles } from 'nestjs-files/hooks';
import { FilesMover } from 'nestjs-files/maintenance';
import { FilesScans } from 'nestjs-files/scan';
import type { ScanningOptions } from 'nestjs-files/scan';
import { DirectUploads } from 'nestjs-files/uploads';
import type { DataSource } from 'typeorm';
import { describe, expect, it, vi } from 'vitest';
import { BatchCreations } from '../../../lib/files/batch-creations.js';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { insertRows } from '../../../lib/files/insert-row.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { s3Storage } from '../../../lib/storage/adapters/s3.storage.js';
import { inChunks } from '../../../lib/unit-of-work/typeorm/send-sql.js';
import {
  actionApp,
  actionForm,
  AttachController,
  GalleriesController,
  Gallery,
  textFile,
} from '../../support/action-app.js';
import { reachableDatabases } from '../../support/databases.js';
import type { TestDatabase } from '../../support/databases.js';
import { Previews } from '../../support/derived-app.js';
import { directStorage } from '../../support/direct-storage.js';
import { gate } from '../../support/gate.js';
import { formWith, uploadFile } from '../../support/http-app.js';
import { ScriptedScanner } from '../../support/scripted-scanner.js';

const ANNA = { type: 'user', id: 'anna' };

/** Galleries have a scanner, files of users have none, and neither have storages, but for `scanned`. */
async function world(database: TestDatabase, scanner = new ScriptedScanner()) {
  const another = new ScriptedScanner('another');
  const direct = directStorage({ partSize: 100 });
  const archive = memoryStorage();
  const app = await actionApp({
    database,
    controllers: [AttachController, GalleriesController],
    providers: [Previews, HealthIndicatorService, FilesHealthIndicator],
    options: {
      storages: {
        default: memoryStorage(),
        archive,
        direct: direct.storage,
        scanned: memoryStorage({ scan: another }),
      },
      scanning: { owners: { gallery: scanner, exhibition: another }, attempts: 2, backoff: 1 },
    },
  });
  const files = app.app.get(FilesService);
  const galleries = app.dataSource.getRepository(Gallery);
  const stateOf = async (id: string) => (await files.findOrFail(id)).scan;
  return {
    ...app,
    rows: app.files,
    files,
    scanner,
    another,
    direct,
    archive,
    uploads: app.app.get(DirectUploads),
    derived: app.app.get(DerivedFiles),
    stateOf,
    gallery: async () => ({ type: 'gallery', id: String((await galleries.save({ title: 'One' })).id) }),
    create: (content: string, owner = ANNA, storage = 'default') =>
      files.create(Buffer.from(content), { name: 'a.txt', storage, owner }),
    attach: (coverId: string) => app.send('/attached', { title: 'One', coverId }),
    becomes: (id: string, scan: string | null) =>
      vi.waitFor(async () => expect(await stateOf(id)).toBe(scan), { timeout: 20_000 }),
    status: async (id: string, user = 'admin') => (await app.fetch(`/files/${id}/content`, { user })).status,
  };
}

/** A scanner that waits for the test before each verdict. */
function held(name?: string) {
  const { opened, open } = gate();
  const scanner = new ScriptedScanner(name);
  scanner.script = async (content) => {
    for await (const _ of content);
    await opened;
    return { clean: true };
  };
  return { scanner, open };
}

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))(
  'an owner type with a scanner on $name',
  (kind) => {
    it('gets a file that was never scanned closed, and it opens once it is clean', async () => {
      const { scanner, open } = held();
      const app = await world(kind, scanner);
      const { id } = await uploadFile(app, 'anna', formWith('hello'));
      expect([await app.stateOf(id), await app.status(id, 'anna')]).toEqual([null, 200]);
      expect((await app.attach(id)).status).toBe(201);
      expect(await app.files.findOrFail(id)).toMatchObject({
        ownerType: 'gallery',
        scan: 'pending',
        scanner: 'scripted',
      });
      expect(await app.status(id)).toBe(409);
      open();
      await app.becomes(id, 'clean');
      expect(await app.status(id)).toBe(200);
    });

    it('gets more files at once than a statement of SQLite has parameters', async () => {
      const app = await world(kind);
      const original = await app.create('hello');
      const ids = Array.from({ length: kind.kind === 'memory' ? 32_767 : 1001 }, () => uuidV7());
      for (const some of inChunks(ids, 1000)) {
        const rows = some.map((id) => ({ ...original, id, location: id, locationKey: id, scan: 'infected' as const }));
        await insertRows(app.dataSource.manager, ManagedFile, rows as unknown as ManagedFile[]);
      }
      const { type, id } = await app.gallery();
      await app.files.transferOwnership([...ids, original.id], { ownerType: type, ownerId: id });
      const given = app.dataSource.getRepository(ManagedFile).countBy({ ownerType: type, ownerId: id });
      expect(await given).toBe(ids.length + 1);
      await app.becomes(original.id, 'clean');
    });

    it('never opens an infected file that was given to it, whoever gets it then', async () => {
      const app = await world(kind);
      const { id } = await app.create('a virus');
      const { type, id: ownerId } = await app.gallery();
      await app.files.transferOwnership(id, { ownerType: type, ownerId });
      await app.becomes(id, 'infected');
      for (const [ownerType, to] of [
        ['user', 'ben'],
        ['exhibition', '7'],
      ] as const) {
        await app.files.transferOwnership(id, { ownerType, ownerId: to });
        expect([await app.stateOf(id), await app.status(id)]).toEqual(['infected', 403]);
      }
      expect(app.another.scans).toBe(0);
    });

    it('leaves a file that it gives away its scan', async () => {
      const { scanner, open } = held();
      const app = await world(kind, scanner);
      const gallery = await app.gallery();
      const { id } = await app.create('hello', gallery);
      await app.files.transferOwnership(id, { ownerType: 'user', ownerId: 'ben' });
      expect([await app.stateOf(id), await app.status(id)]).toEqual(['pending', 409]);
      open();
      await app.becomes(id, 'clean');
    });

    it('does not take the verdict of another scanner, not even of one that is at work', async () => {
      const first = held();
      const app = await world(kind, first.scanner);
      const second = gate();
      app.another.script = async (content) => {
        for await (const _ of content);
        await second.opened;
        return { clean: true };
      };
      const { id } = await app.create('hello', await app.gallery());
      await first.scanner.begun(1);
      await app.files.transferOwnership(id, { ownerType: 'exhibition', ownerId: '7' });
      await app.another.begun(1);
      const settled = vi.waitFor(async () => expect(await app.stateOf(id)).toBe('clean'), { timeout: 20_000 });
      first.open();
      await vi.waitFor(async () => expect(await scans(app)).toBe(1), { timeout: 20_000 });
      expect(await app.files.findOrFail(id)).toMatchObject({ scan: 'pending', scanner: 'another' });
      second.open();
      await settled;
    });

    it('keeps the verdict of its scanner, and does not scan again what comes back', async () => {
      const app = await world(kind);
      const gallery = await app.gallery();
      const { id } = await app.create('hello', gallery);
      await app.becomes(id, 'clean');
      await app.files.transferOwnership(id, { ownerType: 'user', ownerId: 'ben' });
      await app.files.transferOwnership(id, { ownerType: 'gallery', ownerId: gallery.id });
      expect([await app.stateOf(id), app.scanner.scans]).toEqual(['clean', 1]);
    });

    it('leaves files alone whose transfer is undone, or refused', async () => {
      const app = await world(kind);
      const { type: ownerType, id: ownerId } = await app.gallery();
      const [one, pinned] = [await app.create('hello'), await app.create('hello')];
      await app.files.pin(pinned.id);
      await expect(app.files.transferOwnership([one.id, pinned.id], { ownerType, ownerId })).rejects.toMatchObject({
        code: 'FILES_FILE_PINNED',
      });
      const fails = app.dataSource.transaction(async () => {
        await app.files.transferOwnership(one.id, { ownerType, ownerId });
        throw new Error('undone');
      });
      await expect(fails).rejects.toThrow('undone');
      expect([await app.stateOf(one.id), await scans(app), app.scanner.scans]).toEqual([null, 0, 0]);
    });

    it('scans all that it is given, in the transaction of the application, too', async () => {
      const app = await world(kind);
      const { type: ownerType, id: ownerId } = await app.gallery();
      const all = [await app.create('hello'), await app.create('a virus'), await app.create('good', ANNA, 'scanned')];
      await app.becomes(all[2]!.id, 'clean');
      const ids = all.map(({ id }) => id);
      await app.dataSource.transaction(() => app.files.transferOwnership(ids, { ownerType, ownerId }));
      await app.becomes(ids[0]!, 'clean');
      await app.becomes(ids[1]!, 'infected');
      // The verdict of the scanner of its storage counts.
      expect(await app.files.findOrFail(ids[2]!)).toMatchObject({ scan: 'clean', scanner: 'another' });
      expect(app.scanner.scans).toBe(2);
    });

    it('scans new content, whichever way it comes', async () => {
      const { scanner, open } = held();
      const app = await world(kind, scanner);
      const owner = await app.gallery();
      const created = await app.create('one', owner);
      const [listed] = await app.app
        .get(BatchCreations)
        .create([{ open: () => Readable.from(['two']), name: 'b.txt', owner }]);
      await app.archive.write('there.txt', Readable.from(['three']));
      const registered = await app.files.register('there.txt', { storage: 'archive', owner });
      const copied = await app.files.copy((await app.create('four')).id, { owner });
      await app.send(
        '/galleries',
        actionForm([
          ['title', 'Two'],
          ['coverId', textFile('five')],
        ]),
      );
      const replaced = await app.create('six', owner);
      const states = async () =>
        (await app.rows()).filter(({ ownerType }) => ownerType === 'gallery').map((file) => file.scan);
      expect(await states()).toEqual(Array<string>(6).fill('pending'));
      open();
      await vi.waitFor(async () => expect(await states()).toEqual(Array<string>(6).fill('clean')), { timeout: 20_000 });
      expect([created, listed, registered, copied].map((file) => file!.scan)).toEqual(Array<string>(4).fill('pending'));
      const again = await app.files.replace(replaced.id, Buffer.from('seven'), { force: true });
      expect([again.scan, again.scanner]).toEqual(['pending', 'scripted']);
    });

    it('scans an upload that went to the storage directly', async () => {
      const app = await world(kind);
      const owner = await app.gallery();
      const begun = await app.uploads.begin({ name: 'a.txt', size: 5, storage: 'direct', owner });
      const [part] = await app.uploads.signParts(begun.id, [1]);
      app.direct.send(part!.url, 'hello');
      const { id, scan } = await app.uploads.complete(begun.id);
      expect(scan).toBe('pending');
      await app.becomes(id, 'clean');
      expect(app.scanner.scans).toBe(1);
    });

    it('keeps verdicts in another storage, and takes them to copies for an owner with the same scanner alone', async () => {
      const app = await world(kind);
      const owner = await app.gallery();
      const [clean, infected] = [await app.create('hello', owner), await app.create('a virus', owner)];
      await app.becomes(clean.id, 'clean');
      await app.becomes(infected.id, 'infected');
      expect((await app.files.copy(clean.id, { owner })).scan).toBe('clean');
      expect((await app.files.copy(clean.id, { owner: ANNA })).scan).toBe(null);
      await expect(app.files.copy(infected.id, { owner: ANNA })).rejects.toMatchObject({ code: 'FILES_FILE_INFECTED' });
      for await (const _ of app.app.get(FilesMover).run({ from: 'default', to: 'archive' }));
      expect(await app.files.findOrFail(clean.id)).toMatchObject({ storage: 'archive', scan: 'clean' });
      expect(await app.files.findOrFail(infected.id)).toMatchObject({ storage: 'archive', scan: 'infected' });
      expect(app.scanner.scans).toBe(2);
    });

    it('deletes what was derived before, and derives it again from clean content', async () => {
      const { scanner, open } = held();
      const app = await world(kind, scanner);
      const { type: ownerType, id: ownerId } = await app.gallery();
      const file = await app.create('hello');
      const preview = () => app.derived.find(file, 'preview');
      await vi.waitFor(async () => expect(await preview()).toBeDefined(), { timeout: 20_000 });
      const { id } = (await preview())!;
      await app.files.transferOwnership(file.id, { ownerType, ownerId });
      expect([await preview(), await app.status(id)]).toEqual([undefined, 404]);
      open();
      await vi.waitFor(async () => expect(await preview()).toBeDefined(), { timeout: 20_000 });
    });

    it('has its files from before the option scanned by rescan(), and its scanner in health checks', async () => {
      const app = await world(kind);
      const owner = await app.gallery();
      const { id } = await app.create('a virus', owner);
      await app.becomes(id, 'infected');
      await app.dataSource.getRepository(ManagedFile).update(id, { scan: null, scanner: null, finding: null });
      const other = await app.create('nobody scans this');
      expect(await app.app.get(FilesScans).rescan({ states: ['unscanned'] })).toBe(1);
      await app.becomes(id, 'infected');
      expect(await app.stateOf(other.id)).toBe(null);
      const parts = Object.keys(await app.app.get(FilesHealthIndicator).check({ parts: ['scanners'] }));
      expect(parts).toContain('scanner:owner:gallery');
    });
  },
);

/** How many scans wait or run. */
async function scans({ dataSource }: { dataSource: DataSource }): Promise<number> {
  const [row] = await dataSource.query<{ count: string }[]>(
    "SELECT count(*) AS count FROM files_job WHERE name = 'nestjs-files.scan' AND state = 'open'",
  );
  return Number(row!.count);
}

describe('the option scanning.owners', () => {
  const boot = (scanning: ScanningOptions, storage = memoryStorage()) =>
    actionApp({ options: { storages: { default: storage }, scanning } });

  it.each<[string, ScanningOptions]>([
    ['scanning.owners.gallery', { owners: { gallery: {} as ScriptedScanner } }],
    ['scanning.attachPending', { owners: { gallery: new ScriptedScanner() }, attachPending: false }],
  ])('fails at boot, naming %s', async (name, scanning) => {
    await expect(boot(scanning)).rejects.toThrow(name);
  });

  it('fails at boot beside a storage with public addresses, which bypass the scanner', async () => {
    const open = s3Storage({
      bucket: 'b',
      client: { region: 'eu-central-1' },
      publicBaseUrl: 'https://cdn.example.org',
    });
    await expect(boot({ owners: { gallery: new ScriptedScanner() } }, open)).rejects.toThrow('scanning.owners');
  });
});
