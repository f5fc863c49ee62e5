import { buffer } from 'node:stream/consumers';
import type { ScanningOptions } from 'nestjs-files/scan';
import { expect, it, vi } from 'vitest';
import { FilesService } from '../../../lib/files/files.service.js';
import { actionApp, actionForm, AttachController, GalleriesController, textFile } from '../../support/action-app.js';
import { gate } from '../../support/gate.js';
import { formWith, uploadFile } from '../../support/http-app.js';
import { ScriptedScanner } from '../../support/scripted-scanner.js';

async function world(scanning: ScanningOptions = {}) {
  const scanner = new ScriptedScanner();
  const app = await actionApp({
    limits: { scan: scanner },
    options: { shutdownTimeout: 10, scanning: { attempts: 2, backoff: 1, ...scanning } },
    controllers: [AttachController, GalleriesController],
  });
  const files = app.app.get(FilesService);
  return {
    ...app,
    scanner,
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
