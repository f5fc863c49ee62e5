import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { Injectable, Scope } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { FilesService, ManagedFile, TaskQueue } from 'nestjs-files';
import { FilesLinks } from 'nestjs-files/links';
import { DirectUploads } from 'nestjs-files/uploads';
import { OnFileScanned } from 'nestjs-files/hooks';
import type { ScannedContext } from 'nestjs-files/hooks';
import { FilesJobs, outboxJobs } from 'nestjs-files/jobs';
import { FilesAudit } from 'nestjs-files/maintenance';
import { FilesScans } from 'nestjs-files/scan';
import type { FileScanner, ScanningOptions, ScanState } from 'nestjs-files/scan';
import { fsStorage } from 'nestjs-files/storage/fs';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ByteRemovals } from '../../../lib/files/content/byte-removals.js';
import { FileIntent } from '../../../lib/files/intents/file-intent.entity.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { reachableDatabases } from '../../support/databases.js';
import { directStorage } from '../../support/direct-storage.js';
import { newDirectory } from '../../support/files-directory.js';
import { gate } from '../../support/gate.js';
import { HELD, holdTimers } from '../../support/held-time.js';
import { formWith, startApp, uploadFile } from '../../support/http-app.js';
import { ScriptedScanner } from '../../support/scripted-scanner.js';
import { storageWith } from '../../support/storage-with.js';
import { tusOf } from '../../support/tus-app.js';

@Entity('scan_note')
class ScanNote {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') text!: string;
}

@Injectable()
class Warnings {
  refusal: Error | undefined;

  constructor(private readonly queue: TaskQueue) {}

  @OnFileScanned()
  warn(file: ManagedFile, { state, finding, previous }: ScannedContext): void {
    const text = `${previous}: ${file.name} of ${file.ownerId} is ${state}, ${finding}`;
    this.queue.add(async () => void (await this.note(text)));
    if (this.refusal) throw this.refusal;
  }

  note: (text: string) => Promise<unknown> = () => Promise.resolve();
}

const QUICK = { attempts: 2, backoff: 1, timeout: 5_000 };

async function world({
  scanning = {},
  scanner = new ScriptedScanner(),
}: { scanning?: ScanningOptions; scanner?: ScriptedScanner } = {}) {
  const direct = directStorage({ partSize: 100, scan: scanner });
  const memory = memoryStorage({ scan: scanner });
  const app = await startApp({
    imports: [TypeOrmModule.forFeature([ScanNote])],
    providers: [Warnings],
    options: {
      storages: {
        default: memory,
        direct: direct.storage,
        same: memoryStorage({ scan: scanner }),
        other: memoryStorage({ scan: new ScriptedScanner('another') }),
        open: memoryStorage(),
      },
      links: { secrets: ['x'.repeat(32)] },
      scanning: { ...QUICK, ...scanning },
      jobs: { engine: outboxJobs({ poll: 20 }) },
    },
  });
  const files = app.app.get(FilesService);
  const hooks = app.app.get(Warnings);
  const notes = app.dataSource.getRepository(ScanNote);
  hooks.note = (note) => notes.insert({ text: note });
  return {
    ...app,
    files,
    hooks,
    scanner,
    memory,
    direct,
    scans: app.app.get(FilesScans),
    notes: async () => (await notes.find({ order: { id: 'ASC' } })).map((note) => note.text),
    create: (content: string, storage = 'default') =>
      files.create(Buffer.from(content), { name: 'a.txt', storage, owner: { type: 'user', id: 'anna' } }),
    becomes: (id: string, scan: ScanState | null) =>
      vi.waitFor(async () => expect(await files.findOrFail(id)).toMatchObject({ scan }), { timeout: 20_000 }),
    download: (id: string, user = 'anna') => app.fetch(`/files/${id}/content`, { user }),
  };
}

/** A scanner that waits for the test before each verdict. */
function held(): { scanner: ScriptedScanner; open: () => void } {
  const { opened, open } = gate();
  const scanner = new ScriptedScanner();
  scanner.script = async (content) => {
    const found = await text(content);
    await opened;
    return found.includes('virus') ? { clean: false, finding: 'Scripted.Virus' } : { clean: true };
  };
  return { scanner, open };
}

describe('a file in a storage with a scanner', () => {
  it('is pending for its uploader, and nobody gets its content before it is clean', async () => {
    const { scanner, open } = held();
    const app = await world({ scanner });
    const file = await uploadFile(app, 'anna', formWith('hello'));
    expect(file['scan']).toBe('pending');
    expect(await (await app.fetch(`/files/${file.id}`, { user: 'anna' })).json()).toMatchObject({ scan: 'pending' });
    for (const user of ['anna', 'admin']) {
      const refused = await app.download(file.id, user);
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([409, '2']);
      expect(await refused.json()).toMatchObject({ code: 'FILES_FILE_PENDING' });
    }
    expect((await app.fetch(`/files/${file.id}/content`, { user: 'anna', method: 'HEAD' })).status).toBe(409);
    expect((await app.download(file.id, 'ben')).status).toBe(404);
    await expect(app.files.stream(file.id)).rejects.toMatchObject({ code: 'FILES_FILE_PENDING' });
    expect(await text(await app.files.stream(file.id, undefined, { quarantined: true }))).toBe('hello');
    open();
    await app.becomes(file.id, 'clean');
    const download = await app.download(file.id);
    expect([download.status, await download.text()]).toEqual([200, 'hello']);
    expect(await app.notes()).toEqual(['pending: notes.txt of anna is clean, null']);
  });

  it('is closed until it is clean, too, where it came by tus, in parts or in one upload', async () => {
    const { scanner, open } = held();
    const app = await world({ scanner });
    const { create } = tusOf(app);
    const whole = await create({ user: 'anna', 'Upload-Length': 5 }, 'hello');
    const part = await create({ user: 'anna', 'Upload-Length': 5, 'Upload-Concat': 'partial' }, 'hello');
    const joined = await create({ user: 'anna', 'Upload-Concat': `final;${part.path}` });
    for (const { id } of [whole, joined])
      expect(await (await app.download(id, 'anna')).json()).toMatchObject({ code: 'FILES_FILE_PENDING' });
    open();
    for (const { id } of [whole, joined]) {
      await app.becomes(id, 'clean');
      expect(await (await app.download(id, 'anna')).text()).toBe('hello');
    }
  });

  it('is closed to all links until it is clean, and does not use up a one-time link', async () => {
    const { scanner, open } = held();
    const app = await world({ scanner });
    const links = app.app.get(FilesLinks);
    const { id } = await app.create('hello');
    const { url } = await links.oneTime(id);
    expect((await app.fetch(url!)).status).toBe(409);
    open();
    await app.becomes(id, 'clean');
    expect(await (await app.fetch(url!)).text()).toBe('hello');
  });

  it('gets no address from the storage before it is clean', async () => {
    const { scanner, open } = held();
    const temporaryUrl = () => Promise.resolve('https://storage.example/signed');
    const signing = storageWith({ temporaryUrl }, { scan: scanner, downloads: 'redirect' });
    const app = await startApp({ options: { storages: { default: signing }, scanning: QUICK } });
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const links = app.app.get(FilesLinks);
    await expect(links.temporary(id)).rejects.toMatchObject({ code: 'FILES_FILE_PENDING' });
    const content = () => app.fetch(`/files/${id}/content`, { user: 'anna', redirect: 'manual' });
    expect([(await content()).status, (await content()).headers.get('location')]).toEqual([409, null]);
    open();
    await expect.poll(async () => (await content()).status).toBe(307);
    expect((await links.temporary(id)).url).toBe('https://storage.example/signed');
  });

  it('is infected: nobody gets it, its bytes are kept, and a hook and managers learn of it', async () => {
    const app = await world();
    const { id } = await app.create('a virus');
    await app.becomes(id, 'infected');
    const refused = await app.download(id);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([403, null]);
    expect(await refused.json()).toMatchObject({ code: 'FILES_FILE_INFECTED' });
    await expect(app.files.stream(id)).rejects.toMatchObject({ code: 'FILES_FILE_INFECTED' });
    expect(await text(await app.files.stream(id, undefined, { quarantined: true }))).toBe('a virus');
    expect(await app.notes()).toEqual(['pending: a.txt of anna is infected, Scripted.Virus']);
    const list = (user: string, filter: object) =>
      app.fetch(`/files?filters=${encodeURIComponent(JSON.stringify(filter))}`, { user }).then((it) => it.json());
    expect(await list('admin', { scan: 'infected', finding: 'Scripted.Virus' })).toMatchObject({ count: 1 });
    expect(await list('anna', { finding: 'Scripted.Virus' })).toMatchObject({ code: 'FILES_SEARCH_QUERY_INVALID' });
    expect(JSON.stringify(await list('anna', { scan: 'infected' }))).not.toContain('Scripted');
  });

  it('loses its infected bytes where the application says so, and stays deletable and in order', async () => {
    const app = await world({ scanning: { infected: 'remove' } });
    const { id } = await app.create('a virus');
    await app.becomes(id, 'infected');
    await app.app.get(ByteRemovals).idle();
    const left: string[] = [];
    for await (const { location } of app.memory.list()) left.push(location);
    expect(left).toEqual([]);
    await expect.poll(() => app.dataSource.getRepository(FileIntent).count()).toBe(0);
    const findings: unknown[] = [];
    for await (const finding of app.app.get(FilesAudit).run({ bytes: true })) findings.push(finding);
    expect(findings).toEqual([]);
    expect(await app.scans.rescan({ states: ['infected'] })).toBe(1);
    await expect.poll(() => app.dataSource.query('SELECT id FROM files_job')).toEqual([]);
    await app.files.delete(id);
    await expect(app.files.findOrFail(id)).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND' });
  });
});

describe('a scanner that fails', () => {
  it.each<[string, (...given: [Readable, pass: () => void]) => unknown, string]>([
    ['throws', () => Promise.reject(new Error('unreachable')), 'unreachable'],
    ['says nothing', (content) => buffer(content).then(() => undefined), 'answered undefined'],
    ['says true', (content) => buffer(content).then(() => true), 'answered true'],
    [
      'says clean in other words',
      (content) => buffer(content).then(() => ({ clean: 'yes' })),
      'answered {"clean":"yes"}',
    ],
    ['says infected without a name', (content) => buffer(content).then(() => ({ clean: false })), 'answered'],
    ['says clean of content that it did not read', () => ({ clean: true }), 'before it had read all'],
    ['destroys the content', (content) => void content.destroy(), 'answered undefined'],
    ['does not end', (_, pass) => new Promise(() => pass()), 'timeout'],
  ])('%s: the file is tried again, then failed, and never clean', async (_what, script, reason) => {
    const pass = holdTimers();
    const scanner = new ScriptedScanner();
    scanner.script = (content) => script(content, pass);
    const app = await world({ scanner, scanning: { timeout: HELD } });
    const { id } = await app.create('hello');
    await app.becomes(id, 'failed');
    expect(scanner.scans).toBe(2);
    expect((await app.files.findOrFail(id)).finding).toContain(reason);
    expect(await (await app.download(id)).json()).toMatchObject({ statusCode: 409, code: 'FILES_FILE_UNSCANNED' });
    expect(await app.notes()).toEqual([expect.stringContaining('is failed')]);
  });

  it('is asked again until it gives a verdict', async () => {
    const scanner = new ScriptedScanner();
    scanner.script = async (content, _context, attempt) => {
      await buffer(content);
      if (attempt === 1) throw new Error('starting');
      return { clean: true };
    };
    const app = await world({ scanner });
    const { id } = await app.create('hello');
    await app.becomes(id, 'clean');
    expect(scanner.scans).toBe(2);
  });

  it('is not asked about content that is larger than it takes', async () => {
    const app = await world({ scanner: new ScriptedScanner('scripted', 4) });
    const [small, large] = [await app.create('four'), await app.create('hello')];
    await app.becomes(large.id, 'failed');
    await app.becomes(small.id, 'clean');
    expect(app.scanner.scans).toBe(1);
    expect((await app.files.findOrFail(large.id)).finding).toContain('5 bytes');
  });

  it('leaves the file pending if the verdict cannot be saved, and scans it again', async () => {
    const app = await world({ scanning: { attempts: 3 } });
    app.hooks.refusal = new Error('the mail is away');
    const { id } = await app.create('hello');
    await app.scanner.begun(2);
    expect((await app.files.findOrFail(id)).scan).toBe('pending');
    app.hooks.refusal = undefined;
    await app.becomes(id, 'clean');
    expect(await app.notes()).toHaveLength(1);
  });
});

describe('content that comes in another way', () => {
  it('is pending when it is registered, sent directly, and replaced', async () => {
    const app = await world();
    await app.memory.write('there', Readable.from([Buffer.from('a virus')]));
    const registered = await app.files.register('there');
    const uploads = app.app.get(DirectUploads);
    const { id: uploadId } = await uploads.begin({ name: 'b.txt', size: 5, storage: 'direct' });
    const [part] = await uploads.signParts(uploadId, [1]);
    app.direct.send(part!.url, 'hello');
    const sent = await uploads.complete(uploadId);
    expect([registered.scan, sent.scan]).toEqual(['pending', 'pending']);
    await app.becomes(registered.id, 'infected');
    await app.becomes(sent.id, 'clean');
    expect(await app.files.replace(sent.id, Buffer.from('virus'))).toMatchObject({ scan: 'pending' });
    await app.becomes(sent.id, 'infected');
    await app.files.replace(sent.id, Buffer.from('better'));
    await app.becomes(sent.id, 'clean');
    expect(await app.files.findOrFail(sent.id)).toMatchObject({ finding: null });
  });

  it('gets no verdict of the content that it has replaced', async () => {
    const { scanner, open } = held();
    const app = await world({ scanner });
    const { id } = await app.create('hello');
    await scanner.begun(1);
    await app.files.replace(id, Buffer.from('a virus'));
    open();
    await app.becomes(id, 'infected');
    expect(await app.notes()).toEqual([expect.stringContaining('is infected')]);
  });

  it('keeps the verdict of the same scanner in a copy and a move, and is scanned by another one', async () => {
    const app = await world();
    const [clean, infected] = [await app.create('hello'), await app.create('a virus')];
    await app.becomes(clean.id, 'clean');
    await app.becomes(infected.id, 'infected');
    const before = app.scanner.scans;
    expect(await app.files.copy(clean.id, { storage: 'same' })).toMatchObject({ scan: 'clean' });
    expect(await app.files.copy(infected.id)).toMatchObject({ scan: 'infected', finding: 'Scripted.Virus' });
    expect(await app.files.move(infected.id, 'same')).toMatchObject({ scan: 'infected' });
    expect(app.scanner.scans).toBe(before);
    const moved = await app.files.move(clean.id, 'other');
    expect(moved).toMatchObject({ scan: 'pending', scanner: 'another' });
    await app.becomes(clean.id, 'clean');
    expect(await app.files.move(clean.id, 'open')).toMatchObject({ scan: null, scanner: null });
  });

  it('gets no verdict of the scanner of the storage that it was moved from', async () => {
    const [one, other] = [held(), held()];
    const another = new ScriptedScanner('another');
    another.script = other.scanner.script;
    const location = ({ name }: { name: string }) => name;
    const storages = {
      default: memoryStorage({ scan: one.scanner, location }),
      other: memoryStorage({ scan: another, location }),
    };
    const app = await startApp({ options: { storages, scanning: QUICK } });
    const files = app.app.get(FilesService);
    const { id } = await files.create(Buffer.from('hello'), { name: 'a.txt', owner: null });
    await one.scanner.begun(1);
    await files.move(id, 'other');
    one.open();
    await another.begun(1);
    await expect.poll(() => app.dataSource.query('SELECT id FROM files_job')).toHaveLength(1);
    expect(await files.findOrFail(id)).toMatchObject({ storage: 'other', scan: 'pending' });
    other.open();
    await expect.poll(() => files.findOrFail(id)).toMatchObject({ scan: 'clean' });
  });

  it('is not laundered by a storage without a scanner', async () => {
    const app = await world();
    const { id } = await app.create('a virus');
    await app.becomes(id, 'infected');
    const refused = { code: 'FILES_FILE_INFECTED' };
    await expect(app.files.copy(id, { storage: 'open' })).rejects.toMatchObject(refused);
    await expect(app.files.move(id, 'open')).rejects.toMatchObject(refused);
    expect(await app.files.findOrFail(id)).toMatchObject({ storage: 'default', scan: 'infected' });
  });
});

describe('files that are scanned again', () => {
  it('are those that failed or wait, unless others are named', async () => {
    const scanner = new ScriptedScanner();
    scanner.script = () => Promise.reject(new Error('unreachable'));
    const app = await world({ scanner });
    const { id } = await app.create('hello');
    await app.becomes(id, 'failed');
    scanner.script = undefined;
    expect(await app.scans.count()).toBe(1);
    expect(await app.scans.rescan()).toBe(1);
    await app.becomes(id, 'clean');
    expect(await app.scans.rescan()).toBe(0);
    expect(await app.scans.rescan({ states: ['clean'], storage: 'same' })).toBe(0);
  });

  it('can be read meanwhile if they were clean, and not once something is found', async () => {
    const app = await world();
    const { id } = await app.create('hello');
    await app.becomes(id, 'clean');
    const { opened, open } = gate();
    app.scanner.script = async (content) => {
      await buffer(content);
      await opened;
      return { clean: false, finding: 'New.Signature' };
    };
    await app.scans.rescan({ states: ['clean'] });
    await app.scanner.begun(2);
    const etag = (await app.download(id)).headers.get('etag');
    expect(etag).not.toBeNull();
    open();
    await app.becomes(id, 'infected');
    expect(await app.notes()).toContain('clean: a.txt of anna is infected, New.Signature');
    const again = await app.fetch(`/files/${id}/content`, { user: 'anna', headers: { 'if-none-match': etag! } });
    expect(again.status).toBe(403);
  });

  it('get the verdict of their content where they are, if they are moved meanwhile', async () => {
    const app = await world({ scanning: { concurrency: 1 } });
    const ids: string[] = [];
    for (const content of ['one', 'two']) ids.push((await app.create(content)).id);
    for (const id of ids) await app.becomes(id, 'clean');
    const { opened, open } = gate();
    app.scanner.script = async (content) => {
      await buffer(content);
      await opened;
      return { clean: false, finding: 'New.Signature' };
    };
    expect(await app.scans.rescan({ states: ['clean'] })).toBe(2);
    // One of them is being scanned, and the other one waits.
    await app.scanner.begun(3);
    for (const id of ids) expect(await app.files.move(id, 'same')).toMatchObject({ scan: 'clean' });
    open();
    for (const id of ids) await app.becomes(id, 'infected');
    await expect.poll(() => app.dataSource.query('SELECT id FROM files_job')).toEqual([]);
    expect(app.scanner.scans).toBe(4);
    expect((await app.notes()).filter((note) => note.includes('New.Signature'))).toHaveLength(2);
  });

  it('are left alone if they are moved or replaced meanwhile, and nothing or another job scans them', async () => {
    const app = await world({ scanning: { concurrency: 1 } });
    const ids: string[] = [];
    for (const content of ['first', 'to no scanner', 'to another', 'replaced'])
      ids.push((await app.create(content)).id);
    for (const id of ids) await app.becomes(id, 'clean');
    const { opened, open } = gate();
    app.scanner.script = async (content) => {
      await buffer(content);
      await opened;
      return { clean: true };
    };
    const [first, unscanned, other, replaced] = ids as [string, string, string, string];
    await app.scans.rescan({ states: ['clean'], filters: { id: first } });
    await app.scanner.begun(5);
    await app.scans.rescan({ states: ['clean'], filters: { id: { $ne: first } } });
    await app.files.move(unscanned, 'open');
    await app.files.move(other, 'other');
    await app.files.replace(replaced, Buffer.from('new'));
    open();
    await expect.poll(() => app.dataSource.query('SELECT id FROM files_job')).toEqual([]);
    expect(await app.files.findOrFail(unscanned)).toMatchObject({ scan: null });
    expect(await app.files.findOrFail(other)).toMatchObject({ scan: 'clean', scanner: 'another' });
    expect(await app.files.findOrFail(replaced)).toMatchObject({ scan: 'clean' });
    expect(app.scanner.scans).toBe(6);
  });

  it('are scanned by jobs of earlier versions, which note the location alone', async () => {
    const app = await world();
    const { id } = await app.create('hello');
    await app.becomes(id, 'clean');
    const { location } = await app.files.findOrFail(id);
    app.scanner.script = () => ({ clean: false, finding: 'New.Signature' });
    const queue = app.app.get(TaskQueue);
    await queue.run(() => queue.enqueue('nestjs-files.scan', { fileId: id, location }));
    await app.becomes(id, 'infected');
  });

  it('keep their verdict if the scanner fails, and the job is among the failed ones', async () => {
    const app = await world();
    const { id } = await app.create('hello');
    await app.becomes(id, 'clean');
    app.scanner.script = () => Promise.reject(new Error('unreachable'));
    await app.scans.rescan({ states: ['clean'] });
    await expect.poll(() => app.app.get(FilesJobs).failed()).toHaveLength(1);
    expect((await app.files.findOrFail(id)).scan).toBe('clean');
  });

  it('are those from before the storage had a scanner, if they are named, and can be read meanwhile', async () => {
    const app = await world();
    const { id } = await app.create('hello');
    await app.becomes(id, 'clean');
    await app.dataSource.getRepository(ManagedFile).update(id, { scan: null, scanner: null });
    expect(await app.scans.rescan()).toBe(0);
    expect(await text(await app.files.stream(id))).toBe('hello');
    expect(await app.scans.rescan({ states: ['unscanned'] })).toBe(1);
    await app.becomes(id, 'clean');
    expect(await app.files.findOrFail(id)).toMatchObject({ scanner: 'scripted' });
  });

  it('are refused for a storage without a scanner and a state that there is not', async () => {
    const { scans } = await world();
    await expect(scans.rescan({ storage: 'open' })).rejects.toThrow('"open" has no scanner');
    await expect(scans.rescan({ states: ['dirty' as never] })).rejects.toThrow('there is no state "dirty"');
  });
});

describe('a pending file whose scanner is not configured any more', () => {
  async function leftBehind() {
    const { options: database, drop } = await (await reachableDatabases('file'))[0]!.create();
    onTestFinished(drop);
    const root = newDirectory();
    const start = (scan?: FileScanner) => {
      const storages = { default: fsStorage({ root, ...(scan && { scan }) }) };
      return startApp({ database, options: { storages, scanning: QUICK, shutdownTimeout: 10 } });
    };
    const scanner = new ScriptedScanner();
    scanner.script = () => new Promise(() => {});
    const first = await start(scanner);
    const { id } = await uploadFile(first, 'anna', formWith('hello'));
    await scanner.begun(1);
    await first.app.close();
    return { start, id };
  }

  it('stays closed, and is opened by storing its content again', async () => {
    const { start, id } = await leftBehind();
    const app = await start();
    const files = app.app.get(FilesService);
    expect((await app.fetch(`/files/${id}/content`, { user: 'anna' })).status).toBe(409);
    await expect(files.copy(id)).rejects.toMatchObject({ code: 'FILES_FILE_PENDING' });
    expect(await app.app.get(FilesScans).rescan()).toBe(0);
    await files.replace(id, await files.stream(id, undefined, { quarantined: true }));
    const download = await app.fetch(`/files/${id}/content`, { user: 'anna' });
    expect([download.status, await download.text()]).toEqual([200, 'hello']);
  });

  it('is scanned once the scanner is configured again', async () => {
    const { start, id } = await leftBehind();
    await (await start()).app.close();
    const app = await start(new ScriptedScanner());
    const files = app.app.get(FilesService);
    await vi.waitFor(async () => expect(await files.findOrFail(id)).toMatchObject({ scan: 'clean' }), {
      timeout: 20_000,
    });
  });
});

it('refuses at boot a hook on a provider that is made for each request', async () => {
  @Injectable({ scope: Scope.REQUEST })
  class PerRequest {
    @OnFileScanned()
    tell(): void {}
  }
  await expect(startApp({ providers: [PerRequest] })).rejects.toThrow('@OnFileScanned() on PerRequest.tell');
});

describe('the option `scan`', () => {
  it('is refused for a storage with public addresses, unless these are switched off', () => {
    const scan = new ScriptedScanner();
    const publicUrl = () => Promise.resolve('https://public.example');
    expect(() => storageWith({ publicUrl }, { scan })).toThrow('bypass');
    expect(() => storageWith({ publicUrl }, { scan, disable: ['publicUrl'] })).not.toThrow();
  });

  it.each([
    ['no scanner', { name: 'x' }],
    ['a scanner without a name', { name: ' ', scan: () => Promise.resolve() }],
    ['a limit that is none', { name: 'x', maxSize: 0, scan: () => Promise.resolve() }],
  ])('is refused if it is %s', (_what, scanner: object) => {
    expect(() => memoryStorage({ scan: scanner as never })).toThrow(
      expect.objectContaining({ code: 'FILES_STORAGE_OPTION_INVALID' }) as Error,
    );
  });

  it.each([
    ['attempts', 0],
    ['timeout', 0.5],
    ['infected', 'burn'],
    ['attachPending', 'no'],
  ])('goes with options that are refused at boot: %s', async (option, value) => {
    const scanning = { [option]: value } as never;
    await expect(startApp({ options: { scanning } })).rejects.toThrow(`scanning.${option}`);
  });

  it('costs one statement for each upload, and none where there is no scanner', async () => {
    const storages = { default: memoryStorage(), scanned: memoryStorage({ scan: new ScriptedScanner() }) };
    // Nothing but the uploads sends statements.
    const { app, dataSource } = await startApp({ options: { storages, jobs: { work: false }, sweeper: false } });
    const log = vi.spyOn(dataSource.logger, 'logQuery');
    const statements = async (storage: string): Promise<string[]> => {
      log.mockClear();
      await app.get(FilesService).create(Buffer.from('hello'), { name: 'a.txt', storage, owner: null });
      return log.mock.calls.map(([query]) => query);
    };
    const [plain, scanned] = [await statements('default'), await statements('scanned')];
    expect(plain.filter((query) => query.includes('files_job'))).toEqual([]);
    expect(scanned.filter((query) => query.includes('files_job'))).toHaveLength(1);
    expect(scanned).toHaveLength(plain.length + 1);
  });
});
