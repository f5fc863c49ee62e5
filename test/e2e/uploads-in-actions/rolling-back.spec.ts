import { Controller, Logger, RequestTimeoutException, UseInterceptors } from '@nestjs/common';
import type { NestInterceptor } from '@nestjs/common';
import { merge, mergeMap, retry, Subject, throwError } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { CommitOutcomeUnknownError } from '../../../lib/errors/units.errors.js';
import { addTask } from '../../../lib/task-queue/task-queue.js';
import { UnitTransaction } from '../../../lib/unit-of-work/transaction/unit-transaction.js';
import { actionApp, actionForm, GalleriesController, textFile } from '../../support/action-app.js';
import { reachableDatabases } from '../../support/databases.js';
import { PLATFORMS } from '../../support/http-app.js';
import { answerTo, BOUNDARY, openUpload, part } from '../../support/http-raw.js';

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

const NOTHING = { galleries: 0, files: 0, intents: 0, stored: 0 };
const form = (title = 'Sea') =>
  actionForm([
    ['title', title],
    ['coverId', textFile('cover')],
    ['images', textFile('a')],
    ['images', textFile('b')],
    ['pictures[0][label]', 'x'],
    ['pictures[0][fileId]', textFile('nested')],
  ]);

describe.each(PLATFORMS)('a record with files, on %s', (platform) => {
  const fail = () => {
    throw new Error('no');
  };

  it.each([
    ['a pipe refuses another field', 400, undefined, ''],
    ['the handler throws', 500, fail, undefined],
    ['a task throws', 500, () => addTask(fail), undefined],
    [
      'the commit is refused',
      500,
      async (dataSource: { query(sql: string): Promise<unknown> }) => {
        await dataSource.query('INSERT INTO promise (id, kept) VALUES (1, 99)');
      },
      undefined,
    ],
  ])('leaves no row and no bytes when %s', async (_, expected, afterwards, title) => {
    const app = await actionApp({ platform });
    // MariaDB has no constraints that wait for the commit.
    if (app.dataSource.options.type === 'mariadb') return;
    await app.dataSource.query(
      'CREATE TABLE promise (id int primary key, kept int references promise (id) DEFERRABLE INITIALLY DEFERRED)',
    );
    if (afterwards) app.afterwards.run = () => (afterwards as (source: unknown) => unknown)(app.dataSource);
    const { status } = await app.send('/galleries', form(title));
    expect(status).toBe(expected);
    expect(await app.counts()).toEqual(NOTHING);
  });

  it('leaves no row and no bytes when no transaction can begin', async () => {
    const app = await actionApp({ platform });
    const begin = vi.spyOn(UnitTransaction.prototype, 'begin').mockRejectedValueOnce(new Error('no connection'));
    expect((await app.send('/galleries', form())).status).toBe(500);
    begin.mockRestore();
    expect(await app.counts()).toEqual(NOTHING);
  });

  it('leaves no row and no bytes when the client goes away in the middle of the form', async () => {
    const app = await actionApp({ platform });
    const sent = openUpload(app, {}, undefined, '/galleries');
    sent.on('error', () => {});
    sent.write(part('name="title"', 'Sea') + part('name="images"; filename="a.txt"', 'whole'));
    sent.write(part('name="coverId"; filename="b.txt"', 'x'.repeat(100_000)).slice(0, -20));
    await expect.poll(async () => (await app.counts()).intents).toBeGreaterThan(0);
    sent.destroy();
    await expect.poll(() => app.counts()).toEqual(NOTHING);
    expect(BOUNDARY).toBeDefined();
  });

  it('leaves no row and no bytes when an interceptor gives up before the form is there, whatever the client sends then', async () => {
    const over = new Subject<void>();
    const giveUp: NestInterceptor = {
      intercept: (_, next) =>
        merge(next.handle(), over.pipe(mergeMap(() => throwError(() => new RequestTimeoutException())))),
    };
    @Controller('galleries')
    @UseInterceptors(giveUp)
    class Impatient extends GalleriesController {}
    const app = await actionApp({ platform, controllers: [Impatient] });
    const sent = openUpload(app, {}, undefined, '/galleries');
    sent.on('error', () => {});
    sent.write(part('name="title"', 'Sea') + part('name="images"; filename="a.txt"', 'whole'));
    sent.write(part('name="coverId"; filename="b.txt"', 'x'.repeat(100_000)).slice(0, -20));
    await expect.poll(async () => (await app.counts()).intents).toBe(2);
    over.next();
    expect((await answerTo(sent)).status).toBe(408);
    await expect.poll(() => app.counts()).toEqual(NOTHING);
    sent.destroy();
  });

  it('leaves no row and no bytes when the form ends before it is complete', async () => {
    const app = await actionApp({ platform });
    const response = await app.fetch('/galleries', {
      method: 'POST',
      body: part('name="title"', 'Sea') + part('name="coverId"; filename="b.txt"', 'b'),
      headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
    });
    expect([response.status, await response.json()]).toMatchObject([400, { code: 'FILES_UPLOAD_MALFORMED' }]);
    expect(await app.counts()).toEqual(NOTHING);
  });
});

describe('the bytes of an action', () => {
  it('stay for the next attempt after a deadlock', async () => {
    const app = await actionApp();
    let attempts = 0;
    app.afterwards.run = () => {
      attempts++;
      if (attempts < 3) addTask(() => Promise.reject(Object.assign(new Error('deadlock'), { code: '40P01' })));
    };
    const { status, body } = await app.send('/galleries/again', form());
    expect({ status, attempts }).toEqual({ status: 201, attempts: 3 });
    expect((await app.files()).map(({ id }) => id)).toContain(body['coverId']);
    expect(await app.counts()).toEqual({ galleries: 1, files: 4, intents: 0, stored: 4 });
  });

  describe('when an interceptor outside of the unit of work calls the handler again', () => {
    @Controller('galleries')
    @UseInterceptors({ intercept: (_, next) => next.handle().pipe(retry(1)) } satisfies NestInterceptor)
    class Retrying extends GalleriesController {}

    it('are removed, and the answer says that the application is at fault', async () => {
      const app = await actionApp({ controllers: [Retrying] });
      const error = vi.spyOn(Logger.prototype, 'error');
      onTestFinished(() => error.mockRestore());
      let attempts = 0;
      app.afterwards.run = () => {
        attempts++;
        throw new Error('no');
      };
      const { status, body } = await app.send('/galleries', form());
      expect([status, body['code'], attempts]).toEqual([500, 'FILES_DECORATION_INVALID', 1]);
      const log = error.mock.calls.map(([line]) => String(line)).join();
      expect(log).toMatch(/Retrying\.create: .*calls the handler again.*`retry`/);
      expect(await app.counts()).toEqual(NOTHING);
    });

    it('are removed, and the answer tells the client what is wrong with its form', async () => {
      const app = await actionApp({ controllers: [Retrying] });
      const { status, body } = await app.send('/galleries', actionForm([['title', textFile('no file is taken here')]]));
      expect([status, body['code']]).toEqual([400, 'FILES_UPLOAD_MALFORMED']);
      expect(body['message']).toContain('the field "title" takes no files');
    });
  });

  it('are removed when all attempts are over', async () => {
    const app = await actionApp();
    app.afterwards.run = () => addTask(() => Promise.reject(Object.assign(new Error('deadlock'), { code: '40P01' })));
    expect((await app.send('/galleries/again', form())).status).toBe(503);
    expect(await app.counts()).toEqual(NOTHING);
  });

  /** Sends a form whose record is saved; the reply to the COMMIT is lost. */
  async function sendAndLoseReply() {
    const [database] = await reachableDatabases('memory');
    const app = await actionApp({ database: database! });
    const { commit } = UnitTransaction.prototype;
    const spy = vi.spyOn(UnitTransaction.prototype, 'commit').mockImplementationOnce(async function (
      this: UnitTransaction,
    ) {
      await commit.call(this);
      throw new CommitOutcomeUnknownError(new Error('the connection was lost'));
    });
    onTestFinished(() => spy.mockRestore());
    return { ...(await app.send('/galleries', form())), app };
  }

  it('stay when nobody knows whether the record was saved', async () => {
    const spy = vi.spyOn(UnitTransaction.prototype, 'witnesses', 'get').mockReturnValue([]);
    onTestFinished(() => spy.mockRestore());
    const { status, body, app } = await sendAndLoseReply();
    expect([status, body]).toMatchObject([503, { code: 'FILES_COMMIT_OUTCOME_UNKNOWN' }]);
    expect(await app.counts()).toMatchObject({ stored: 4 });
  });

  it('stay with their record when its rows tell that it was saved', async () => {
    const { status, app } = await sendAndLoseReply();
    expect(status).toBe(201);
    expect(await app.counts()).toEqual({ galleries: 1, files: 4, intents: 0, stored: 4 });
  });
});
