import { randomBytes } from 'node:crypto';
import { IsNull } from 'typeorm';
import { describe, expect, it, vi } from 'vitest';
import { FilesSweeper, Quotas } from 'nestjs-files/maintenance';
import { FileUpload } from 'nestjs-files/entities';
import { fsStorage } from 'nestjs-files/storage/fs';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { databaseStorage } from 'nestjs-files/storage/database';
import { UploadBeginnings } from '../../../lib/files/uploads/upload-beginnings.js';
import { FileUsage } from '../../../lib/ownership/quotas/file-usage.entity.js';
import { newDirectory } from '../../support/files-directory.js';
import { PLATFORMS } from '../../support/http-app.js';
import { checksum, metadata, startTus } from '../../support/tus-app.js';

const MISSING = '01890000-0000-7000-8000-000000000000';
const BYTES = randomBytes(300_000);

describe.each(PLATFORMS)('tus on %s', (platform) => {
  it('tells its version and extensions', async () => {
    const { send } = await startTus(platform, { storages: { default: memoryStorage({ maxSize: 1000 }) } });
    const { status, headers } = await send('OPTIONS', '/files/tus', { 'Tus-Resumable': undefined, user: 'nobody' });
    expect(status).toBe(204);
    expect(headers.get('tus-version')).toBe('1.0.0');
    expect(headers.get('tus-resumable')).toBe('1.0.0');
    expect(headers.get('tus-max-size')).toBe('1000');
    expect(headers.get('tus-checksum-algorithm')).toBe('sha256,sha512,sha384,sha1,md5');
    expect(headers.get('tus-extension')).toBe(
      'creation,creation-with-upload,creation-defer-length,termination,expiration,checksum,concatenation',
    );
  });

  it('makes a file of an upload of several requests', async () => {
    const { create, patch, send, read, content, stored } = await startTus(platform);
    const given = metadata({ filename: 'größe.txt', filetype: 'text/csv', is_secret: '' });
    const begun = await create({ 'Upload-Length': BYTES.length, 'Upload-Metadata': given });
    expect(begun.status).toBe(201);
    expect(begun.path).toMatch(/^\/files\/tus\/[0-9a-f-]{36}$/);
    expect(begun.headers.get('upload-offset')).toBe('0');
    expect(Date.parse(begun.headers.get('upload-expires') ?? '')).toBeGreaterThan(Date.now() + 86_000_000);
    const first = await patch(begun.path, 0, BYTES.subarray(0, 100_000));
    expect([first.status, first.headers.get('upload-offset'), first.headers.get('file-id')]).toEqual([
      204,
      '100000',
      null,
    ]);
    expect((await read(begun.id)).status).toBe(404);
    const head = await send('HEAD', begun.path);
    expect(head.status).toBe(200);
    expect(Object.fromEntries(head.headers)).toMatchObject({
      'upload-offset': '100000',
      'upload-length': `${BYTES.length}`,
      'upload-metadata': given,
      'tus-resumable': '1.0.0',
      'cache-control': 'no-store',
    });
    const last = await patch(begun.path, 100_000, BYTES.subarray(100_000));
    expect([last.status, last.headers.get('file-id')]).toEqual([204, begun.id]);
    expect((await read(begun.id)).body).toMatchObject({
      id: begun.id,
      name: 'größe.txt',
      size: BYTES.length,
      contentType: 'application/octet-stream',
      ownerId: 'ada',
    });
    expect((await content(begun.id)).equals(BYTES)).toBe(true);
    const after = await send('HEAD', begun.path);
    expect([after.headers.get('upload-offset'), after.headers.get('file-id')]).toEqual([`${BYTES.length}`, begun.id]);
    expect(await stored()).toHaveLength(1);
  });

  it('takes the first bytes, and all of them, with the creation', async () => {
    const { create, patch, content } = await startTus(platform);
    const begun = await create({ 'Upload-Length': 10 }, 'hello');
    expect([begun.status, begun.headers.get('upload-offset'), begun.headers.get('file-id')]).toEqual([201, '5', null]);
    expect((await patch(begun.path, 5, ' you!')).headers.get('file-id')).toBe(begun.id);
    expect(String(await content(begun.id))).toBe('hello you!');
    const whole = await create({ 'Upload-Length': 5 }, 'whole');
    expect([whole.status, whole.headers.get('location')]).toEqual([201, `/files/tus/${whole.id}`]);
    expect(whole.headers.get('file-id')).toBe(whole.id);
    const empty = await create({ 'Upload-Length': 0 });
    expect([empty.status, empty.headers.get('file-id')]).toEqual([201, empty.id]);
    expect((await content(empty.id)).length).toBe(0);
  });

  it('is told the length later', async () => {
    const { create, patch, send, content, stored } = await startTus(platform);
    const { path, id } = await create({ 'Upload-Defer-Length': 1 });
    expect((await patch(path, 0, 'one')).status).toBe(204);
    const head = await send('HEAD', path);
    expect([head.headers.get('upload-defer-length'), head.headers.get('upload-length')]).toEqual(['1', null]);
    expect((await patch(path, 3, 'two', { 'Upload-Length': 2 })).code).toBe('FILES_REQUEST_INVALID');
    expect((await patch(path, 3, 'two', { 'Upload-Length': 9 })).status).toBe(204);
    expect((await patch(path, 6, 'six', { 'Upload-Length': 8 })).code).toBe('FILES_REQUEST_INVALID');
    expect((await patch(path, 6, 'six')).headers.get('file-id')).toBe(id);
    expect(String(await content(id))).toBe('onetwosix');
    expect(await stored()).toHaveLength(1);
  });

  it('ends an upload that the client gives up, and removes its bytes', async () => {
    const { create, patch, send, stored } = await startTus(platform);
    const { path } = await create({ 'Upload-Length': 10 }, 'hello');
    expect(await stored()).toHaveLength(1);
    expect((await send('DELETE', path)).status).toBe(204);
    expect(await stored()).toEqual([]);
    for (const answer of [await send('HEAD', path), await send('DELETE', path), await patch(path, 5, 'again')])
      expect(answer.status).toBe(404);
  });

  it('ends an upload that expires, and lets each request prolong it', async () => {
    const { create, patch, send, app, dataSource, stored } = await startTus(platform, {
      directUploads: { expireAfter: 60_000 },
    });
    const { path, id } = await create({ 'Upload-Length': 10 }, 'hello');
    const uploads = dataSource.getRepository(FileUpload);
    await uploads.update({ id }, { expiresAt: new Date(Date.now() + 20_000) });
    const expires = (await patch(path, 5, ' y')).headers.get('upload-expires');
    expect(Date.parse(expires ?? '')).toBeGreaterThan(Date.now() + 50_000);
    await uploads.update({ id }, { expiresAt: new Date(Date.now() - 1) });
    expect((await send('HEAD', path)).status).toBe(404);
    await app.get(FilesSweeper).sweep();
    expect(await stored()).toEqual([]);
    expect((await patch(path, 7, 'ou!')).status).toBe(404);
  });

  it('keeps nothing of a request with a wrong checksum', async () => {
    const { create, patch, offset, content, stored } = await startTus(platform);
    const { path, id } = await create({ 'Upload-Length': BYTES.length });
    const wrong = await patch(path, 0, BYTES, { 'Upload-Checksum': checksum('other') });
    expect([wrong.status, wrong.code]).toEqual([460, 'FILES_UPLOAD_CHECKSUM_MISMATCHED']);
    expect(await offset(path)).toBe(0);
    for (const bad of ['sha256', 'sha256 !!', 'sha256 aGk=', `crc32 ${Buffer.alloc(4).toString('base64')}`])
      expect((await patch(path, 0, BYTES, { 'Upload-Checksum': bad })).code).toBe('FILES_CHECKSUM_INVALID');
    const half = BYTES.subarray(0, 200);
    expect((await patch(path, 0, half, { 'Upload-Checksum': checksum(half, 'sha1') })).status).toBe(204);
    expect((await patch(path, 200, BYTES.subarray(200), { 'Upload-Checksum': checksum('x') })).status).toBe(460);
    expect(await offset(path)).toBe(200);
    const rest = BYTES.subarray(200);
    const right = await patch(path, 200, rest, { 'Upload-Checksum': checksum(rest) });
    expect(right.headers.get('file-id')).toBe(id);
    expect((await content(id)).equals(BYTES)).toBe(true);
    expect((await create({ 'Upload-Length': 5, 'Upload-Checksum': checksum('other') }, 'hello')).status).toBe(460);
    expect(await stored()).toHaveLength(1);
  });

  it('makes a file of uploads that were sent beside each other', async () => {
    const { create, patch, send, read, content, stored } = await startTus(platform);
    const part = { 'Upload-Concat': 'partial', 'Upload-Length': 5 };
    const [one, two] = [await create(part), await create(part, 'world')];
    expect((await send('HEAD', one.path)).headers.get('upload-concat')).toBe('partial');
    const given = {
      'Upload-Concat': `final;${one.path} http://example.org${two.path}`,
      'Upload-Metadata': metadata({ filename: 'both.txt' }),
    };
    expect((await create(given)).code).toBe('FILES_UPLOAD_INCOMPLETE');
    expect((await patch(one.path, 0, 'hello')).headers.get('file-id')).toBe(null);
    expect((await read(one.id)).status).toBe(404);
    const final = await create(given);
    expect([final.status, final.headers.get('file-id')]).toEqual([201, final.id]);
    expect(String(await content(final.id))).toBe('helloworld');
    expect((await read(final.id)).body).toMatchObject({ name: 'both.txt', size: 10 });
    expect((await send('HEAD', final.path)).headers.get('upload-concat')).toBe(`final;${one.path} ${two.path}`);
    expect(await stored()).toHaveLength(1);
    expect((await send('HEAD', one.path)).status).toBe(404);
  });

  it('answers a request to join uploads again as the first one, and makes no second file', async () => {
    const { create, content, send, fetch, stored, dataSource } = await startTus(platform);
    const part = { 'Upload-Concat': 'partial', 'Upload-Length': 5 };
    const [one, two] = [await create(part, 'hello'), await create(part, 'world')];
    const given = { 'Upload-Concat': `final;${one.path} ${two.path}` };
    const answers = await Promise.all([create(given), create(given), create(given)]);
    const again = await create(given);
    for (const answer of [...answers, again])
      expect([answer.status, answer.path, answer.headers.get('file-id'), answer.headers.get('upload-offset')]).toEqual([
        201,
        `/files/tus/${again.id}`,
        again.id,
        '10',
      ]);
    expect(String(await content(again.id))).toBe('helloworld');
    expect(await stored()).toHaveLength(1);
    // Another request is not the same one.
    expect((await create({ ...given, user: 'bob' })).status).toBe(404);
    expect((await create({ ...given, 'Upload-Metadata': metadata({ filename: 'b' }) })).status).toBe(404);
    expect((await create({ 'Upload-Concat': `final;${two.path} ${one.path}` })).status).toBe(404);
    expect(await dataSource.getRepository(FileUpload).countBy({ kind: 'final', endedAt: IsNull() })).toBe(0);
    expect((await fetch(`/files/${again.id}`, { method: 'DELETE', user: 'ada' })).status).toBe(204);
    expect((await create(given)).status).toBe(404);
    expect((await send('HEAD', again.path)).status).toBe(404);
  });

  it('reads the content of an upload that is announced without any', async () => {
    const { create, read, stored } = await startTus(platform);
    const over = await create({ 'Upload-Length': 0 }, 'hello');
    expect([over.status, over.code]).toEqual([413, 'FILES_UPLOAD_LENGTH_EXCEEDED']);
    expect(await create({ 'Upload-Length': 0 }, new Blob(['hello']).stream())).toMatchObject({ status: 413 });
    expect(await create({ 'Upload-Length': 0, 'Upload-Checksum': checksum('x') }, '')).toMatchObject({ status: 460 });
    expect(await stored()).toEqual([]);
    const right = await create({ 'Upload-Length': 0, 'Upload-Checksum': checksum('') }, '');
    expect([right.status, right.headers.get('file-id')]).toEqual([201, right.id]);
    expect((await read(right.id)).body).toMatchObject({ size: 0 });
  });

  it('is only for who began the upload', async () => {
    const { create, patch, send, offset } = await startTus(platform);
    const { path } = await create({ 'Upload-Length': 10, 'Upload-Concat': 'partial' }, 'hello');
    for (const user of ['bob', 'admin', 'nobody']) {
      expect((await send('HEAD', path, { user })).status).toBe(404);
      expect((await patch(path, 5, 'there', { user })).status).toBe(404);
      expect((await send('DELETE', path, { user })).status).toBe(404);
    }
    expect((await create({ 'Upload-Concat': `final;${path}`, user: 'bob' })).status).toBe(404);
    expect((await send('HEAD', `/files/tus/${MISSING}`)).status).toBe(404);
    expect((await send('HEAD', '/files/tus/nonsense')).status).toBe(404);
    expect((await create({ 'Upload-Length': 1, user: 'nobody' })).status).toBe(401);
    expect(await offset(path)).toBe(5);
  });

  it('refuses requests that are not as the protocol has them, and changes nothing', async () => {
    const { create, patch, send, offset, stored } = await startTus(platform);
    const { path } = await create({ 'Upload-Length': 10 }, 'hello');
    const version = await send('HEAD', path, { 'Tus-Resumable': '0.2.2' });
    expect([version.status, version.headers.get('tus-version')]).toEqual([412, '1.0.0']);
    expect((await create({ 'Upload-Length': 1, 'Tus-Resumable': undefined })).code).toBe('FILES_TUS_VERSION_UNKNOWN');
    for (const given of [
      {},
      { 'Upload-Length': -1 },
      { 'Upload-Length': '1e3' },
      { 'Upload-Length': 1, 'Upload-Defer-Length': 1 },
      { 'Upload-Defer-Length': 2 },
      { 'Upload-Length': 1, 'Upload-Metadata': 'filename not+base64!' },
      { 'Upload-Length': 1, 'Upload-Metadata': 'filename YQ==,filename YQ==' },
      { 'Upload-Length': 1, 'Upload-Concat': 'whole' },
      { 'Upload-Concat': 'final;' },
      { 'Upload-Concat': 'final;/files/tus/nonsense' },
      { 'Upload-Concat': `final;${path} ${path}` },
      { 'Upload-Concat': `final;${path}` },
    ])
      expect(await create(given)).toMatchObject({ status: 400, code: 'FILES_REQUEST_INVALID' });
    expect((await patch(path, 4, 'there')).code).toBe('FILES_UPLOAD_OFFSET_MISMATCHED');
    expect((await patch(path, 5, 'there', { 'Content-Type': 'text/plain' })).status).toBe(415);
    expect((await patch(path, 5, 'there', { 'Upload-Offset': 'x' })).status).toBe(400);
    const over = await patch(path, 5, 'too many');
    expect([over.status, over.code]).toEqual([413, 'FILES_UPLOAD_LENGTH_EXCEEDED']);
    expect(await offset(path)).toBe(5);
    expect((await send('POST', path, { 'X-HTTP-Method-Override': 'GET' })).status).toBe(400);
    expect(await stored()).toHaveLength(1);
    const overridden = await send('POST', path, { 'X-HTTP-Method-Override': 'PATCH', 'Upload-Offset': 5 }, 'there');
    expect(overridden.status).toBe(204);
  });

  it('answers the same request twice with the offset that is there', async () => {
    const { create, patch, send, content } = await startTus(platform);
    const { path, id } = await create({ 'Upload-Length': 10 });
    expect((await patch(path, 0, 'hello')).status).toBe(204);
    expect((await patch(path, 0, 'hello')).status).toBe(409);
    expect((await patch(path, 5, 'world')).status).toBe(204);
    expect((await patch(path, 5, 'world')).status).toBe(409);
    expect((await patch(path, 10, '')).headers.get('file-id')).toBe(id);
    expect(String(await content(id))).toBe('helloworld');
    expect((await send('DELETE', path)).status).toBe(404);
  });

  it('refuses bytes behind the last one of an upload that is a file already', async () => {
    const { create, patch, content } = await startTus(platform);
    const { path, id } = await create({ 'Upload-Length': 5 }, 'hello');
    expect((await patch(path, 5, '')).status).toBe(204);
    for (const more of ['!', new Blob(['!']).stream()])
      expect(await patch(path, 5, more)).toMatchObject({ status: 413, code: 'FILES_UPLOAD_LENGTH_EXCEEDED' });
    expect(String(await content(id))).toBe('hello');
  });

  it('takes no bytes, behind the last one, as often as it likes', async () => {
    const { create, patch, send, offset, content, stored } = await startTus(platform);
    const { path } = await create({ 'Upload-Length': 5, 'Upload-Concat': 'partial' }, 'hello');
    for (const given of [{}, { 'Upload-Checksum': checksum('') }]) {
      const again = await patch(path, 5, '', given);
      expect([again.status, again.headers.get('upload-offset')]).toEqual([204, '5']);
    }
    expect((await patch(path, 5, '!')).status).toBe(413);
    expect(await offset(path)).toBe(5);
    expect(await stored()).toHaveLength(1);
    const final = await create({ 'Upload-Concat': `final;${path}` });
    expect(String(await content(final.id))).toBe('hello');
    expect(await stored()).toHaveLength(1);
    expect(await patch(final.path, 5, '')).toMatchObject({ status: 403, code: 'FILES_UPLOAD_FINAL' });
    expect((await send('HEAD', final.path)).headers.get('file-id')).toBe(final.id);
  });

  it('counts the bytes of unknown length for the owner before they are kept, also of requests that fail', async () => {
    const { create, patch, offset, send, app } = await startTus(platform, { quotas: { user: { bytes: 500_000 } } });
    const usage = () => app.get(Quotas).usage({ type: 'user', id: 'ada' });
    const [one, two] = [await create({ 'Upload-Defer-Length': 1 }), await create({ 'Upload-Defer-Length': 1 })];
    // No Content-Length tells how many there are.
    const bytes = () => new Blob([BYTES, BYTES]).stream();
    const answers = await Promise.all([one, two].map(({ path }) => patch(path, 0, bytes())));
    for (const answer of answers) expect(answer).toMatchObject({ status: 413, code: 'FILES_QUOTA_EXCEEDED' });
    const kept = [await offset(one.path), await offset(two.path)];
    expect(kept[0]! + kept[1]!).toBeGreaterThan(0);
    expect(kept[0]! + kept[1]!).toBeLessThanOrEqual(500_000);
    expect(await usage()).toEqual({ bytes: kept[0]! + kept[1]!, count: 2 });
    for (const { path } of [one, two]) expect((await send('DELETE', path)).status).toBe(204);
    expect(await usage()).toEqual({ bytes: 0, count: 0 });
  });

  it('joins the parts of an owner whose quota has no room for one more file', async () => {
    const { create, app } = await startTus(platform, { quotas: { user: { count: 4 } } });
    const usage = () => app.get(Quotas).usage({ type: 'user', id: 'ada' });
    expect((await create({ 'Upload-Length': 5 }, 'other')).status).toBe(201);
    const part = { 'Upload-Concat': 'partial', 'Upload-Length': 5 };
    const parts = [await create(part, 'hello'), await create(part, 'world'), await create(part, 'again')];
    expect(await create(part)).toMatchObject({ status: 413, code: 'FILES_QUOTA_EXCEEDED' });
    const final = await create({ 'Upload-Concat': `final;${parts.map(({ path }) => path).join(' ')}` });
    expect([final.status, final.headers.get('file-id')]).toEqual([201, final.id]);
    expect(await usage()).toEqual({ bytes: 20, count: 2 });
  });

  it('counts a joined file once for an owner who was not counted when the parts began', async () => {
    const { create, app, dataSource } = await startTus(platform, { quotas: { user: { count: 10 } } });
    const part = { 'Upload-Concat': 'partial', 'Upload-Length': 5 };
    const parts = [await create(part, 'hello'), await create(part, 'world'), await create(part, 'again')];
    // As if the quota had been introduced only now.
    const usages = dataSource.getRepository(FileUsage);
    const beginnings = app.get(UploadBeginnings, { strict: false });
    const enter = beginnings.enter.bind(beginnings);
    vi.spyOn(beginnings, 'enter').mockImplementationOnce(async (...entered) => {
      await enter(...entered);
      await usages.clear();
    });
    const final = await create({ 'Upload-Concat': `final;${parts.map(({ path }) => path).join(' ')}` });
    expect([final.status, final.headers.get('file-id')]).toEqual([201, final.id]);
    expect(await usages.find()).toMatchObject([{ ownerType: 'user', ownerId: 'ada', bytes: 15, count: 1 }]);
  });

  it('keeps to the limits of the storage and the owner while it runs', async () => {
    const plain = databaseStorage();
    const { create, patch, send, offset, app, stored } = await startTus(platform, {
      storages: { default: fsStorage({ root: newDirectory(), maxSize: 200_000, acceptedTypes: ['image'] }), plain },
      quotas: { user: { bytes: 150_000 } },
    });
    expect((await create({ 'Upload-Length': 200_001 })).code).toBe('FILES_FILE_TOO_LARGE');
    expect((await create({ 'Upload-Length': 160_000 })).code).toBe('FILES_QUOTA_EXCEEDED');
    const inDatabase = { 'Upload-Length': 5, 'Upload-Metadata': metadata({ storage: 'plain' }) };
    expect(await create(inDatabase)).toMatchObject({ status: 409, code: 'FILES_CAPABILITY_MISSING' });
    const usage = () => app.get(Quotas).usage({ type: 'user', id: 'ada' });
    const text = await create({ 'Upload-Length': 100_000 });
    expect(await usage()).toEqual({ bytes: 100_000, count: 1 });
    expect((await patch(text.path, 0, 'x'.repeat(3000))).status).toBe(204);
    const refused = await patch(text.path, 3000, 'x'.repeat(3000));
    expect([refused.status, refused.code]).toEqual([415, 'FILES_FILE_TYPE_NOT_ACCEPTED']);
    expect((await send('HEAD', text.path)).status).toBe(404);
    expect(await usage()).toEqual({ bytes: 0, count: 0 });
    const later = await create({ 'Upload-Defer-Length': 1 });
    const gif = Buffer.concat([Buffer.from('GIF89a'), BYTES.subarray(0, 100_000)]);
    expect((await patch(later.path, 0, gif)).status).toBe(204);
    expect(await usage()).toEqual({ bytes: gif.length, count: 1 });
    expect((await patch(later.path, gif.length, BYTES.subarray(0, 60_000))).code).toBe('FILES_QUOTA_EXCEEDED');
    expect((await patch(later.path, gif.length, 'x', { 'Upload-Length': 190_000 })).code).toBe('FILES_QUOTA_EXCEEDED');
    expect(await offset(later.path)).toBe(gif.length);
    expect((await patch(later.path, gif.length, '', { 'Upload-Length': gif.length })).status).toBe(204);
    expect(await usage()).toEqual({ bytes: gif.length, count: 1 });
    expect(await stored()).toEqual([]);
  });
});
