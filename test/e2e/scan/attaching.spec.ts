import { buffer } from 'node:stream/consumers';
import { Body, Controller, Inject, Post } from '@nestjs/common';
import { FileField, MaxFileSize, OwnsFiles, TransferOwnership, WithTaskQueue } from 'nestjs-files';
import { FilesScans } from 'nestjs-files/scan';
import type { ScanningOptions } from 'nestjs-files/scan';
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import { describe, expect, it, vi } from 'vitest';
import { FilesService } from '../../../lib/files/files.service.js';
import {
  actionApp,
  actionForm,
  Afterwards,
  AttachController,
  GalleriesController,
  Gallery,
  textFile,
} from '../../support/action-app.js';
import { reachableDatabases } from '../../support/databases.js';
import type { TestDatabase } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { formWith, uploadFile } from '../../support/http-app.js';
import { ScriptedScanner } from '../../support/scripted-scanner.js';

/** The record of a user, who owns its files, and their drafts. */
@Entity('scan_profile')
@OwnsFiles('user')
class Profile {
  @PrimaryColumn('varchar') id!: string;
  @FileField() @Column('varchar', { nullable: true }) avatarId!: string | null;
}

class ProfileDto {
  @TransferOwnership('user') avatarId!: string;
}

class SmallDto {
  @TransferOwnership('gallery') @MaxFileSize('10B') coverId!: string;
}

@Controller()
class ScanController {
  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    @Inject(Afterwards) private readonly afterwards: Afterwards,
  ) {}

  @Post('profiles')
  @WithTaskQueue()
  profile(@Body() { avatarId }: ProfileDto) {
    return this.dataSource.getRepository(Profile).save({ id: 'anna', avatarId });
  }

  @Post('small')
  @WithTaskQueue()
  async small(@Body() { coverId }: SmallDto) {
    const saved = await this.dataSource.getRepository(Gallery).save({ title: 'One', coverId });
    await this.afterwards.run(saved as Gallery);
    return saved;
  }
}

async function world(scanning: ScanningOptions = {}, database?: TestDatabase) {
  const scanner = new ScriptedScanner();
  const app = await actionApp({
    limits: { scan: scanner },
    options: { shutdownTimeout: 10, scanning: { attempts: 2, backoff: 1, ...scanning } },
    controllers: [AttachController, GalleriesController, ScanController],
    entities: [Profile],
    ...(database && { database }),
  });
  const files = app.app.get(FilesService);
  const profiles = app.dataSource.getRepository(Profile);
  await profiles.save({ id: 'anna', avatarId: null });
  return {
    ...app,
    scanner,
    service: files,
    profiles,
    attach: (coverId: string) => app.send('/attached', { title: 'One', coverId }),
    form: (content: string) =>
      app.send(
        '/galleries',
        actionForm([
          ['title', 'One'],
          ['coverId', textFile(content)],
        ]),
      ),
    becomes: (id: string, scan: string) =>
      vi.waitFor(async () => expect(await files.findOrFail(id)).toMatchObject({ scan }), { timeout: 20_000 }),
  };
}

/** Scans do not end before the test does. */
const waiting = (scanner: ScriptedScanner) => void (scanner.script = () => new Promise(() => {}));

it('gives a record a pending file, which shows nothing until it is clean', async () => {
  const app = await world();
  waiting(app.scanner);
  const { id } = await uploadFile(app, 'anna', formWith('hello'));
  expect(await app.attach(id)).toMatchObject({ status: 201, body: { coverId: id } });
  expect((await app.fetch(`/files/${id}/content`, { user: 'admin' })).status).toBe(409);
});

it('refuses a pending file by its field where the application takes only clean ones, and takes it later', async () => {
  const app = await world({ attachPending: false });
  const { opened, open } = gate();
  app.scanner.script = async (content) => {
    await buffer(content);
    await opened;
    return { clean: true };
  };
  const { id } = await uploadFile(app, 'anna', formWith('hello'));
  const refused = await app.attach(id);
  expect(refused).toMatchObject({ status: 400, body: { problems: [{ field: 'coverId', code: 'FILE_PENDING' }] } });
  open();
  await app.becomes(id, 'clean');
  expect((await app.attach(id)).status).toBe(201);
});

it.each([true, false])('refuses an infected file by its field, with attachPending %s', async (attachPending) => {
  const app = await world({ attachPending });
  const { id } = await uploadFile(app, 'anna', formWith('a virus'));
  await app.becomes(id, 'infected');
  const refused = await app.attach(id);
  expect(refused).toMatchObject({ status: 400, body: { problems: [{ field: 'coverId', code: 'FILE_QUARANTINED' }] } });
  expect(await app.counts()).toMatchObject({ galleries: 0, files: 1 });
});

it('takes files of a form, which are scanned once the record is saved', async () => {
  const app = await world();
  expect((await app.form('hello')).status).toBe(201);
  const [file] = await app.files();
  expect(file).toMatchObject({ ownerType: 'gallery', pinned: true });
  await app.becomes(file!.id, 'clean');
});

it('refuses files of a form where the application takes only clean ones, and saves nothing', async () => {
  const app = await world({ attachPending: false });
  expect(await app.form('hello')).toMatchObject({ status: 409, body: { code: 'FILES_FILE_PENDING' } });
  expect(await app.counts()).toEqual({ galleries: 0, files: 0, intents: 0, stored: 0 });
});

it('refuses an infected draft of the user for a record of this user', async () => {
  const app = await world();
  const { id } = await uploadFile(app, 'anna', formWith('a virus'));
  await app.becomes(id, 'infected');
  const refused = await app.send('/profiles', { avatarId: id });
  expect(refused).toMatchObject({ status: 400, body: { problems: [{ field: 'avatarId', code: 'FILE_QUARANTINED' }] } });
  expect(await app.profiles.find()).toMatchObject([{ avatarId: null }]);
  expect(await app.files()).toMatchObject([{ pinned: false }]);
});

it.each([
  ['pending', 'FILE_PENDING'],
  ['failed', 'FILE_QUARANTINED'],
])('refuses a %s draft of the user for a record of this user, without attachPending', async (scan, code) => {
  const app = await world({ attachPending: false });
  waiting(app.scanner);
  if (scan === 'failed') app.scanner.script = () => Promise.reject(new Error('unreachable'));
  const { id } = await uploadFile(app, 'anna', formWith('hello'));
  await app.becomes(id, scan);
  const refused = await app.send('/profiles', { avatarId: id });
  expect(refused).toMatchObject({ status: 400, body: { problems: [{ field: 'avatarId', code }] } });
  expect(await app.profiles.find()).toMatchObject([{ avatarId: null }]);
});

it('keeps a file that is found infected in the record that has it, and gives it to no other record', async () => {
  const app = await world();
  const { id } = await uploadFile(app, 'anna', formWith('hello'));
  await app.becomes(id, 'clean');
  expect((await app.send('/profiles', { avatarId: id })).status).toBe(201);
  app.scanner.script = async (content) => {
    await buffer(content);
    return { clean: false, finding: 'New.Signature' };
  };
  await app.app.get(FilesScans).rescan({ states: ['clean'] });
  await app.becomes(id, 'infected');
  expect((await app.send('/profiles', { avatarId: id })).status).toBe(201);
  await app.service.unpin(id);
  expect((await app.send('/profiles', { avatarId: id })).status).toBe(201);
  await app.service.unpin(id);
  expect((await app.attach(id)).status).toBe(400);
});

it('refuses a manager who takes an infected file from another record', async () => {
  const app = await world();
  const galleries = app.dataSource.getRepository(Gallery);
  const { id: galleryId } = await galleries.save({ title: 'First' });
  const owner = { type: 'gallery', id: String(galleryId) };
  const { id } = await app.service.create(Buffer.from('a virus'), { name: 'a.txt', owner });
  await app.becomes(id, 'infected');
  const refused = await app.fetch('/attached', {
    method: 'POST',
    user: 'admin',
    body: JSON.stringify({ title: 'Second', coverId: id }),
    headers: { 'content-type': 'application/json' },
  });
  expect(refused.status).toBe(400);
  expect(await app.files()).toMatchObject([{ ownerId: owner.id, pinned: false }]);
  expect(await galleries.count()).toBe(1);
});

describe.each(await reachableDatabases('postgres', 'mariadb'))('between the checks, on $name', (database) => {
  /** Sends a file that a gallery gets, and does the work while the handler waits. */
  async function meanwhile(app: Awaited<ReturnType<typeof world>>, coverId: string, work: () => Promise<unknown>) {
    const [reached, going] = [gate(), gate()];
    app.afterwards.run = () => {
      reached.open();
      return going.opened;
    };
    const answer = app.send('/small', { coverId });
    await reached.opened;
    await work();
    going.open();
    return answer;
  }

  it('refuses a file in which a scan finds something', async () => {
    const app = await world({}, database);
    const { opened, open } = gate();
    app.scanner.script = async (content) => {
      await buffer(content);
      await opened;
      return { clean: false, finding: 'Scripted.Virus' };
    };
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const refused = await meanwhile(app, id, () => {
      open();
      return app.becomes(id, 'infected');
    });
    expect(refused).toMatchObject({ status: 409, body: { code: 'FILES_FILE_CHANGED' } });
    expect(await app.counts()).toMatchObject({ galleries: 0, files: 1 });
    expect(await app.files()).toMatchObject([{ ownerType: 'user', pinned: false }]);
  });

  it.each([
    ['that is larger', true, 'hello, hello, hello'],
    ['that is not scanned yet, without attachPending', false, 'HELLO'],
  ])('refuses a file that gets content %s', async (_what, attachPending, content) => {
    const app = await world({ attachPending }, database);
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    await app.becomes(id, 'clean');
    waiting(app.scanner);
    const refused = await meanwhile(app, id, () => app.service.replace(id, Buffer.from(content)));
    expect(refused).toMatchObject({ status: 409, body: { code: 'FILES_FILE_CHANGED' } });
    expect(await app.counts()).toMatchObject({ galleries: 0, files: 1 });
  });

  it('takes a file that is found clean', async () => {
    const app = await world({}, database);
    const { opened, open } = gate();
    app.scanner.script = async (content) => {
      await buffer(content);
      await opened;
      return { clean: true };
    };
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const taken = await meanwhile(app, id, () => {
      open();
      return app.becomes(id, 'clean');
    });
    expect(taken).toMatchObject({ status: 201, body: { coverId: id } });
  });

  it('takes the content that the handler itself has given to the file', async () => {
    const app = await world({}, database);
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    app.afterwards.run = () => app.service.replace(id, Buffer.from('stamped'));
    expect(await app.send('/small', { coverId: id })).toMatchObject({ status: 201, body: { coverId: id } });
    expect(await app.files()).toMatchObject([{ ownerType: 'gallery', size: 7, pinned: true }]);
  });

  it('takes the content from before, if what the handler has given to the file is undone', async () => {
    const app = await world({}, database);
    const { id, size } = await uploadFile(app, 'anna', formWith('hello'));
    const undone = new Error('undone');
    app.afterwards.run = async () => {
      const replacing = app.dataSource.transaction(async () => {
        await app.service.replace(id, Buffer.from('stamped'));
        throw undone;
      });
      await expect(replacing).rejects.toBe(undone);
    };
    expect(await app.send('/small', { coverId: id })).toMatchObject({ status: 201, body: { coverId: id } });
    expect(await app.files()).toMatchObject([{ ownerType: 'gallery', size, pinned: true }]);
  });
});
