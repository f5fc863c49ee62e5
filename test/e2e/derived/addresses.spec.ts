import { Controller, Get, Injectable, Param, Scope } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { FilesAccess, FilesModule, OwnerPolicy } from 'nestjs-files';
import { DerivedFile } from 'nestjs-files/hooks';
import type { CacheControl } from 'nestjs-files/storage';
import { describe, expect, it } from 'vitest';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { IN_MEMORY } from '../../support/databases.js';
import { derivedApp, Previews } from '../../support/derived-app.js';
import { gate } from '../../support/gate.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';

@Injectable()
@OwnerPolicy('package')
class Packages {
  allows(operation: string, _: unknown, id: string): boolean {
    return operation === 'read' && id === 'public';
  }
}

@Controller('files')
class OwnRoutes {
  @Get(':id/caption')
  caption(@Param('id') id: string): string {
    return `caption of ${id}`;
  }
}

describe.each(PLATFORMS)('the address of a derived file on %s', (platform) => {
  it('is answered with 202 and Retry-After while it is made, then with its content, ETag, ranges and conditions', async () => {
    const app = await derivedApp({ platform });
    const { opened, open } = gate();
    const works = app.previews.script;
    app.previews.script = async (content, context, run) => {
      await opened;
      return works(content, context, run);
    };
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    for (const method of ['GET', 'HEAD']) {
      const early = await app.get(id, { user: 'anna', method });
      expect([early.status, early.headers.get('retry-after'), await early.text()]).toEqual([202, '2', '']);
      expect(early.headers.get('cache-control')).toContain('no-store');
    }
    open();
    await app.preview(id);
    const whole = await app.get(id);
    expect([whole.status, await whole.text()]).toEqual([200, 'preview of hello']);
    expect(whole.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(whole.headers.get('content-disposition')).toContain('preview-notes.txt');
    const etag = whole.headers.get('etag')!;
    const part = await app.get(id, { user: 'anna', headers: { range: 'bytes=0-6' } });
    expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([
      206,
      'bytes 0-6/16',
      'preview',
    ]);
    const same = await app.get(id, { user: 'anna', headers: { 'if-none-match': etag } });
    expect([same.status, await same.text()]).toEqual([304, '']);
    const head = await app.get(id, { user: 'anna', method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '16']);
  });

  it('follows the access to the original, also by its own id', async () => {
    const app = await derivedApp({
      platform,
      providers: [Previews, Packages],
      options: { cascade: { package: true } },
    });
    const { id } = await app.create('hello');
    await app.preview(id);
    const [preview] = await app.rows.findBy({ ownerType: 'file' });
    const own = `/files/${preview!.id}/content`;
    const statuses = async (user: string) =>
      Promise.all([`/files/${id}/preview`, own].map(async (path) => (await app.fetch(path, { user })).status));
    expect([await statuses('anna'), await statuses('ben'), await statuses('admin')]).toEqual([
      [200, 200],
      [404, 404],
      [200, 200],
    ]);
    await app.files.transferOwnership(id, { ownerType: 'package', ownerId: 'public' });
    expect([await statuses('anna'), await statuses('ben')]).toEqual([
      [200, 200],
      [200, 200],
    ]);
    await app.files.transferOwnership(id, { ownerType: 'package', ownerId: 'private' });
    expect(await statuses('ben')).toEqual([404, 404]);
    const access = app.app.get(FilesAccess);
    expect(await access.can({ type: 'user', id: 'anna' }, 'delete', preview!)).toBe(false);
    expect((await app.fetch(`/files/${preview!.id}`, { user: 'ben', method: 'DELETE' })).status).toBe(404);
  });

  it('has the Cache-Control that its original has by its owner, also by its own id', async () => {
    const cacheControl: CacheControl = ({ ownerType }) =>
      ownerType === 'user' ? 'private, no-cache' : 'public, max-age=86400';
    const app = await derivedApp({
      platform,
      providers: [Previews, Packages],
      options: { cascade: { package: true }, storages: { default: memoryStorage({ cacheControl }) } },
    });
    const { id } = await app.create('hello');
    await app.preview(id);
    const [preview] = await app.rows.findBy({ ownerType: 'file' });
    const paths = [`/files/${id}/content`, `/files/${id}/preview`, `/files/${preview!.id}/content`];
    const told = async (user: string) =>
      Promise.all(paths.map(async (path) => (await app.fetch(path, { user })).headers.get('cache-control')));
    expect(new Set(await told('anna'))).toEqual(new Set(['private, no-cache, no-transform']));
    await app.files.transferOwnership(id, { ownerType: 'package', ownerId: 'public' });
    expect(new Set(await told('ben'))).toEqual(new Set(['public, max-age=86400, no-transform']));
  });

  it('leaves the derived file as it was made: by its own id it is read and deleted, and not changed', async () => {
    const app = await derivedApp({ platform });
    const { id } = await app.create('hello');
    await app.preview(id);
    await app.files.pin(id);
    const [preview] = await app.rows.findBy({ ownerType: 'file' });
    const own = `/files/${preview!.id}`;
    const json = (body: object) => ({
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const changes: [method: string, path: string, init: RequestInit][] = [
      ['PUT', `${own}/content`, { headers: { 'content-type': 'text/plain' }, body: 'forged' }],
      ['PATCH', own, json({ name: 'forged.txt' })],
      ['POST', `${own}/transfer`, json({ ownerType: 'user', ownerId: 'anna' })],
      ['PUT', `${own}/pin`, {}],
      ['DELETE', `${own}/pin`, {}],
    ];
    for (const [method, path, init] of changes) {
      for (const [user, status, code] of [
        ['anna', 409, 'FILES_FILE_DERIVED'],
        ['admin', 409, 'FILES_FILE_DERIVED'],
        ['ben', 404, 'FILES_FILE_NOT_FOUND'],
      ] as const) {
        const answer = await app.fetch(path, { ...init, user, method });
        const { code: told } = (await answer.json()) as { code: string };
        expect([answer.status, told], `${method} ${path} by ${user}`).toEqual([status, code]);
      }
    }
    const refused = { code: 'FILES_FILE_DERIVED', fileId: preview!.id };
    await expect(app.files.replace(preview!.id, Buffer.from('forged'))).rejects.toMatchObject(refused);
    await expect(app.files.pin([id, preview!.id])).rejects.toMatchObject(refused);
    const anna = { ownerType: 'user', ownerId: 'anna', force: true };
    await expect(app.files.transferOwnership([id, preview!.id], anna)).rejects.toMatchObject(refused);
    expect(await app.rows.findBy({ ownerType: 'file' })).toEqual([preview]);
    expect(await (await app.get(id)).text()).toBe('preview of hello');
    const copy = await app.files.copy(preview!.id, { owner: { type: 'user', id: 'anna' } });
    expect((await app.files.replace(copy.id, Buffer.from('mine'))).size).toBe(4);
    expect((await app.fetch(own, { user: 'anna', method: 'DELETE' })).status).toBe(204);
    expect(await app.rows.findBy({ id: preview!.id })).toEqual([]);
  });

  it('makes what was never made, however often it is asked, by one job', async () => {
    const app = await derivedApp({ platform });
    const works = app.previews.script;
    app.previews.script = () => null;
    const { id } = await app.create('hello');
    await app.idle();
    // As of a file that was stored before there was a method.
    const [nothing] = await app.rows.findBy({ ownerType: 'file' });
    await app.files.delete(nothing!.id);
    await app.jobs.clear();
    const { opened, open } = gate();
    app.previews.script = async (content, context, run) => {
      await opened;
      return works(content, context, run);
    };
    for (let asked = 0; asked < 3; asked++) expect((await app.get(id)).status).toBe(202);
    expect(await app.jobs.countBy({ state: 'open' })).toBe(1);
    open();
    expect(await app.preview(id)).toBe('preview of hello');
    expect((await app.get(id)).status).toBe(200);
    expect(app.previews.runs).toBe(2);
  });

  it('is made by the job of the upload alone, while somebody asks', async () => {
    const app = await derivedApp({ platform });
    app.previews.script = () => Promise.reject(new Error('no'));
    const { id } = await app.create('hello');
    await expect.poll(async () => (await app.get(id)).status).toBe(404);
    await app.idle();
    expect([app.previews.runs, (await app.failed.failed()).length]).toEqual([2, 1]);
  });

  it('is 404 for other types, for failures, for derived files and for kinds that there are not', async () => {
    const app = await derivedApp({ platform, providers: [Previews], options: {} });
    const pdf = await app.files.create(Buffer.from('%PDF-1.7\n'), {
      name: 'a.pdf',
      owner: { type: 'user', id: 'anna' },
    });
    app.previews.script = () => null;
    const { id } = await app.create('hello');
    await app.idle();
    const [stand] = await app.rows.findBy({ ownerType: 'file' });
    const bodies = await Promise.all(
      [pdf.id, id, stand!.id].map(
        async (one) => (await app.get(one)).json() as Promise<{ statusCode: number; code: string }>,
      ),
    );
    expect(bodies.map(({ statusCode, code }) => [statusCode, code])).toEqual(
      bodies.map(() => [404, 'FILES_DERIVED_FILE_MISSING']),
    );
    expect((await app.fetch(`/files/${id}/poster`, { user: 'anna' })).status).toBe(404);
    expect((await app.fetch('/files/no-id/preview', { user: 'anna' })).status).toBe(404);
  });

  it('is that of a pending original: 409 and Retry-After', async () => {
    const app = await derivedApp({ platform, options: { shutdownTimeout: 10 } });
    app.scanner.script = () => new Promise(() => {});
    const { id } = await app.create('hello', 'scanned');
    const response = await app.get(id);
    expect([response.status, response.headers.get('retry-after')]).toEqual([409, '2']);
    expect(await response.json()).toMatchObject({ code: 'FILES_FILE_PENDING' });
  });

  it('leaves routes of the application as they are, and can be left out', async () => {
    const setup = { platform, controllers: [OwnRoutes], providers: [Previews] };
    const app = await startApp({ ...setup, options: { http: { without: ['derived'] } } });
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    expect((await app.fetch(`/files/${id}/preview`, { user: 'anna' })).status).toBe(404);
    expect(await (await app.fetch(`/files/${id}/caption`)).text()).toBe(`caption of ${id}`);
    const other = await startApp({ ...setup, options: {} });
    expect(await (await other.fetch(`/files/${id}/caption`)).text()).toBe(`caption of ${id}`);
  });
});

it('is described for OpenAPI before the application listens', async () => {
  const module = FilesModule.forRoot({ storages: { default: memoryStorage() } });
  const builder = Test.createTestingModule({
    imports: [TypeOrmModule.forRoot({ ...IN_MEMORY, autoLoadEntities: true, synchronize: true }), module],
    providers: [Previews],
  });
  const app = (await builder.compile()).createNestApplication({ logger: false });
  const { paths } = SwaggerModule.createDocument(app, new DocumentBuilder().build());
  expect(paths['/files/{id}/preview']?.get).toMatchObject({ summary: 'Download the preview of a file' });
  await app.close();
});

describe('what is refused', () => {
  const decorate = (kind: string, options: object) => () => {
    class Wrong {
      @DerivedFile(kind, options as never)
      derive(): null {
        return null;
      }
    }
    return Wrong;
  };

  it.each([
    ['Thumbnail', { from: 'image/*' }, 'lower-case'],
    ['content', { from: 'image/*' }, 'another route'],
    ['thumbnail', {}, '`from` must name content types'],
    ['thumbnail', { from: 'image/' }, '"image/"'],
    ['thumbnail', { from: 'image/*', attempts: 1 }, '`attempts` must be a whole number from 2 on, and is 1'],
    ['thumbnail', { from: 'image/*', timeout: 0.5 }, '`timeout`'],
  ])('a decorator %s with %j', (kind, options, message) => {
    expect(decorate(kind, options)).toThrow(message);
  });

  it('a kind that two methods have, one of a factory, and one of a provider for each request, at boot', async () => {
    class Twice extends Previews {}
    @Injectable({ scope: Scope.REQUEST })
    class Requests extends Previews {}
    const kinds = "@DerivedFile('preview')";
    await expect(startApp({ providers: [Previews, Twice] })).rejects.toThrow(kinds);
    const made = { provide: 'made', useFactory: () => new Previews() };
    await expect(startApp({ providers: [made] })).rejects.toThrow('not a factory');
    await expect(startApp({ providers: [Requests] })).rejects.toThrow('singleton');
  });

  it('a storage that is not there, or from which nothing can be removed, at boot', async () => {
    class Elsewhere {
      @DerivedFile('preview', { from: 'text', storage: 'nowhere' })
      derive(): null {
        return null;
      }
    }
    await expect(startApp({ providers: [Elsewhere] })).rejects.toThrow('nowhere');
    const storages = { default: memoryStorage(), nowhere: memoryStorage({ disable: ['remove'] }) };
    const refused = startApp({ providers: [Elsewhere], options: { storages } });
    await expect(refused).rejects.toThrow('storage "nowhere" cannot remove');
  });

  it('files that are given to files', async () => {
    const app = await derivedApp();
    const { id } = await app.create('hello');
    const owner = { type: 'file', id };
    const refused = { code: 'FILES_OWNER_REFERENCE_INVALID' };
    await expect(app.files.create(Buffer.from('x'), { name: 'x', owner })).rejects.toMatchObject(refused);
    await expect(app.files.copy(id, { owner })).rejects.toMatchObject(refused);
    await expect(app.files.copyAll({ type: 'user', id: 'anna' }, owner)).rejects.toMatchObject(refused);
    await expect(app.files.transferOwnership(id, { ownerType: 'file', ownerId: id })).rejects.toMatchObject(refused);
  });
});
