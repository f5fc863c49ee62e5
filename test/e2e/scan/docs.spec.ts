import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Injectable } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { FileField, FileJob, FilesModule, FilesService, ManagedFile, OwnsFiles, TaskQueue } from 'nestjs-files';
import { OnFileScanned } from 'nestjs-files/hooks';
import type { ScannedContext } from 'nestjs-files/hooks';
import { FilesScans } from 'nestjs-files/scan';
import type { FileScanner } from 'nestjs-files/scan';
import { clamav } from 'nestjs-files/scan/clamav';
import { fsStorage } from 'nestjs-files/storage/fs';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { Column, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { SIGNED_TEXT, startClamd } from '../../../scripts/clamd.mjs';
import { hasClamd } from '../../support/clamd.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { newDirectory } from '../../support/files-directory.js';
import { startApp } from '../../support/http-app.js';
import { ScriptedScanner } from '../../support/scripted-scanner.js';

@Entity()
@OwnsFiles('package')
class Package {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) attachmentId!: string | null;
}

@Injectable()
export class ScanAlerts {
  constructor(
    private readonly queue: TaskQueue,
    @InjectRepository(Package) private readonly packages: Repository<Package>,
  ) {}

  @OnFileScanned()
  async alert(file: ManagedFile, { state, finding }: ScannedContext) {
    if (state === 'clean') return;
    this.queue.enqueue('scan-alert', { fileId: file.id, state, finding });
    // The record shows no file. Without this line, it still names the file, which nobody can open.
    if (state === 'infected') await this.packages.update({ attachmentId: file.id }, { attachmentId: null });
  }
}

@Injectable()
class Mailer {
  readonly sent: unknown[] = [];

  @FileJob('scan-alert')
  send(alert: unknown): void {
    this.sent.push(alert);
  }
}

const acme = {
  async scan(content: Readable, _options: { signal: AbortSignal }): Promise<{ threats: string[] }> {
    return { threats: (await text(content)).includes('virus') ? ['Acme.Virus'] : [] };
  },
};

const scanner: FileScanner = {
  name: 'acme',
  maxSize: 100 * 1024 * 1024,
  async scan(content, { signal }) {
    const { threats } = await acme.scan(content, { signal });
    const [threat] = threats;
    return threat === undefined ? { clean: true } : { clean: false, finding: threat };
  },
};

it('runs every example of docs/scanning.md', async () => {
  expect(await examplesNotRun('scanning.md', import.meta.url)).toEqual([]);
});

it('configures the module of the page', async () => {
  const [root, imagesRoot] = [newDirectory(), newDirectory()];
  const module = FilesModule.forRoot({
    storages: {
      default: fsStorage({ root, scan: clamav({ host: '127.0.0.1' }) }),
      images: fsStorage({ root: imagesRoot }), // not scanned
    },
  });
  const { app } = await startApp({ module });
  const { scan } = await app.get(FilesService).create(Buffer.from('x'), { name: 'x', storage: 'images', owner: null });
  expect(scan).toBeNull();
});

it('configures a scanner of an owner type, and of no other', async () => {
  const root = newDirectory();
  const module = FilesModule.forRoot({
    storages: { default: fsStorage({ root }) },
    scanning: { owners: { package: clamav({ host: '127.0.0.1' }) } },
  });
  const { app } = await startApp({ module });
  const stateFor = async (type: string) => {
    const file = { name: 'x', owner: { type, id: '1' } };
    return (await app.get(FilesService).create(Buffer.from('x'), file)).scan;
  };
  expect([await stateFor('package'), await stateFor('user')]).toEqual(['pending', null]);
});

it('lets a record go of an infected file, tells of it, and scans files again', async () => {
  const { app, dataSource } = await startApp({
    imports: [TypeOrmModule.forFeature([Package])],
    providers: [ScanAlerts, Mailer],
    options: { storages: { default: memoryStorage({ scan: scanner }) } },
  });
  const [files, scans] = [app.get(FilesService), app.get(FilesScans)];
  const packages = dataSource.getRepository(Package);
  const { id: ownerId } = await packages.save({ attachmentId: null });
  const id = await app.get(TaskQueue).run(async () => {
    const owner = { type: 'package', id: ownerId };
    const file = await files.create(Buffer.from('a virus'), { name: 'a', owner });
    await packages.update(ownerId, { attachmentId: file.id });
    return file.id;
  });
  await expect.poll(() => app.get(Mailer).sent).toEqual([{ fileId: id, state: 'infected', finding: 'Acme.Virus' }]);
  expect(await packages.findOneBy({ id: ownerId })).toMatchObject({ attachmentId: null });

  const queued = await scans.rescan(); // pending and failed files
  await scans.rescan({ storage: 'default', states: ['clean', 'infected'] }); // after an update of the signatures
  await scans.rescan({ states: ['unscanned'] }); // files from before the storage had a scanner

  expect(queued).toBe(0);
});

describe.runIf(hasClamd())('with a real clamd', () => {
  it('finds files clean and infected, and fails for content beyond its limits', async () => {
    const clamd = await startClamd(['AlertExceedsMax yes']);
    onTestFinished(() => clamd.stop());
    const scan = clamav({ socket: clamd.socket, maxSize: '2MiB' });
    const { app } = await startApp({
      options: { storages: { default: memoryStorage({ scan }) }, scanning: { attempts: 2, backoff: 1 } },
    });
    const files = app.get(FilesService);
    const states = async () => (await files.search({ sort: 'createdAt' })).results.map((file) => file.scan);
    const contents = ['hello', SIGNED_TEXT, 'x'.repeat(1_500_000), 'x'.repeat(3_000_000)];
    for (const content of contents) await files.create(Buffer.from(content), { name: 'a.txt', owner: null });
    const found = ['clean', 'infected', 'failed', 'failed'];
    await vi.waitFor(async () => expect(await states()).toEqual(found), { timeout: 20_000 });
    const { results } = await files.search({ filters: { scan: 'infected' } });
    expect(results).toMatchObject([{ finding: expect.stringMatching(/^NestjsFiles\.Test/) as string }]);
  });

  it('scans files once it is there, which were pending while it was not', async () => {
    const clamd = await startClamd();
    await clamd.stop();
    const scanning = new ScriptedScanner('clamav');
    const real = clamav({ host: clamd.host, port: clamd.port });
    scanning.script = (content, context) => real.scan(content, context);
    const { app } = await startApp({
      options: { storages: { default: memoryStorage({ scan: scanning }) }, scanning: { attempts: 50, backoff: 1 } },
    });
    const files = app.get(FilesService);
    const { id } = await files.create(Buffer.from('hello'), { name: 'a.txt', owner: null });
    await scanning.begun(2);
    expect(await files.findOrFail(id)).toMatchObject({ scan: 'pending' });
    const again = await startClamd();
    onTestFinished(() => again.stop());
    const there = clamav({ host: again.host, port: again.port });
    scanning.script = (content, context) => there.scan(content, context);
    await vi.waitFor(async () => expect(await files.findOrFail(id)).toMatchObject({ scan: 'clean' }), {
      timeout: 20_000,
    });
  });
});
