import { randomBytes } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { Quotas } from 'nestjs-files/maintenance';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { UploadAppends } from '../../../lib/files/resumable/upload-appends.js';
import { UploadCharges } from '../../../lib/files/resumable/upload-charges.js';
import { PLATFORMS } from '../../support/http-app.js';
import { checksum, openPatch, tusMachines } from '../../support/tus-app.js';

// A busy machine takes its time.
const SOON = { timeout: 30_000 };
const BYTES = randomBytes(3_000_000);

describe.each(PLATFORMS)('requests to one upload at once, on two machines with %s', (platform) => {
  it('tell the offset while another one appends, and refuse to append beside it', async () => {
    const { one, two } = await tusMachines(platform, 60_000);
    const { path, id } = await one.create({ 'Upload-Length': BYTES.length });
    const { request, answered } = openPatch(one.url, path, 0, BYTES.length);
    request.write(BYTES.subarray(0, 1_000_000));
    for (const { offset } of [one, two]) await expect.poll(() => offset(path), SOON).toBe(1_000_000);
    for (const { patch } of [one, two]) {
      expect(await patch(path, 1_000_000, 'x')).toMatchObject({ status: 423, code: 'FILES_UPLOAD_BUSY' });
      expect((await patch(path, 0, BYTES)).status).toBe(423);
    }
    request.end(BYTES.subarray(1_000_000));
    expect(await answered).toBe(204);
    expect((await two.content(id)).equals(BYTES)).toBe(true);
  });

  it('make one file of the same bytes, where all of them send these', async () => {
    const { one, two, files } = await tusMachines(platform);
    const { path, id } = await one.create({ 'Upload-Length': BYTES.length });
    const answers = await Promise.all([one, two, one, two].map(({ patch }) => patch(path, 0, BYTES)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 204)).toHaveLength(1);
    for (const status of statuses) expect([204, 409, 423]).toContain(status);
    expect((await one.content(id)).equals(BYTES)).toBe(true);
    expect(await files()).toHaveLength(1);
  });

  it('join the same parts in opposite orders into one file', async () => {
    const { one, two, files } = await tusMachines(platform);
    for (let round = 1; round <= 10; round++) {
      const parts: string[] = [];
      for (const text of ['a', 'b', 'c', 'd'])
        parts.push((await one.create({ 'Upload-Concat': 'partial', 'Upload-Length': 1 }, text)).path);
      const final = (paths: string[]) => ({ 'Upload-Concat': `final;${paths.join(' ')}` });
      const answers = await Promise.all([one.create(final(parts)), two.create(final(parts.toReversed()))]);
      expect(answers.map(({ status }) => status).toSorted((left, right) => left - right)).toEqual([201, 404]);
      expect(await files()).toHaveLength(round);
    }
  });

  it('find no part that another machine joins while its bytes are looked at', async () => {
    const { one, two, files } = await tusMachines(platform);
    const { path } = await one.create({ 'Upload-Concat': 'partial', 'Upload-Length': 1 }, 'a');
    const joined = { 'Upload-Concat': `final;${path}` };
    const appends = one.app.get(UploadAppends, { strict: false });
    const offsetOf = appends.offsetOf.bind(appends);
    vi.spyOn(appends, 'offsetOf').mockImplementationOnce(async (row) => {
      expect((await two.create({ ...joined, 'Upload-Metadata': 'name' })).status).toBe(201);
      await expect.poll(files, SOON).toHaveLength(1);
      return offsetOf(row);
    });
    expect(await one.create(joined)).toMatchObject({ status: 404, code: 'FILES_UPLOAD_NOT_FOUND' });
    expect(await files()).toHaveLength(1);
  });

  it('keep what came before the connection broke, and nothing of a request with a checksum', async () => {
    const { one, two, rows } = await tusMachines(platform);
    const { path, id } = await one.create({ 'Upload-Length': BYTES.length });
    const free = async () => (await rows.findOneByOrFail({ id })).leaseOwner;
    const broken = openPatch(one.url, path, 0, BYTES.length);
    broken.request.write(BYTES.subarray(0, 500_000));
    await expect.poll(() => two.offset(path), SOON).toBe(500_000);
    broken.request.destroy();
    await expect.poll(free, SOON).toBeNull();
    expect(await two.offset(path)).toBe(500_000);
    const checked = openPatch(two.url, path, 500_000, 2_500_000, {
      'upload-checksum': checksum(BYTES.subarray(500_000)),
    });
    checked.request.write(BYTES.subarray(500_000, 900_000));
    await expect.poll(free, SOON).not.toBeNull();
    checked.request.destroy();
    await expect.poll(free, SOON).toBeNull();
    expect(await one.offset(path)).toBe(500_000);
    expect((await one.patch(path, 500_000, BYTES.subarray(500_000))).headers.get('file-id')).toBe(id);
    expect((await two.content(id)).equals(BYTES)).toBe(true);
  });

  it('go on where a machine has died, when its lease has ended', async () => {
    const { one, rows } = await tusMachines(platform);
    const { path, id } = await one.create({ 'Upload-Length': 10 }, 'hello');
    const leaseOwner = '01890000-0000-7000-8000-000000000000';
    await rows.update({ id }, { leaseOwner, leaseUntil: new Date(Date.now() + 60_000) });
    expect((await one.patch(path, 5, 'world')).status).toBe(423);
    expect(await one.offset(path)).toBe(5);
    await rows.update({ id }, { leaseUntil: new Date() });
    expect((await one.patch(path, 5, 'world')).headers.get('file-id')).toBe(id);
  });

  it.each(['one', 'two'] as const)('take over from a client that stands still, on machine %s', async (other) => {
    const both = await tusMachines(platform, 1_000);
    const { url, create, content } = both.one;
    const { path, id } = await create({ 'Upload-Length': BYTES.length });
    const still = openPatch(url, path, 0, BYTES.length);
    still.request.write(BYTES.subarray(0, 1_000_000));
    const { offset, patch } = both[other];
    await expect.poll(() => offset(path), SOON).toBe(1_000_000);
    // Until the lease has ended, which takes a second.
    const statusOf = async () => (await patch(path, 1_000_000, BYTES.subarray(1_000_000))).status;
    await expect.poll(statusOf, { timeout: 20_000, interval: 50 }).toBe(204);
    still.request.end(Buffer.alloc(BYTES.length - 1_000_000));
    expect([undefined, 423]).toContain(await still.answered);
    expect((await content(id)).equals(BYTES)).toBe(true);
  });

  it('write nothing of a client that was cut off after another machine took over', async () => {
    const { one, two } = await tusMachines(platform, 1_000, { storages: { default: memoryStorage() } });
    const appends = vi.spyOn(one.app.get(UploadAppends), 'append');
    const { path, id } = await one.create({ 'Upload-Length': BYTES.length });
    const still = openPatch(one.url, path, 0, BYTES.length);
    still.request.write(Buffer.alloc(100_000));
    await expect.poll(() => appends.mock.results.length, SOON).toBe(1);
    const statusOf = async () => (await two.patch(path, 0, BYTES.subarray(0, 2_000_000))).status;
    await expect.poll(statusOf, { timeout: 20_000, interval: 50 }).toBe(204);
    still.request.destroy();
    await expect(appends.mock.results[0]?.value).rejects.toMatchObject({ code: 'FILES_UPLOAD_BUSY' });
    expect(await two.offset(path)).toBe(2_000_000);
    expect((await two.patch(path, 2_000_000, BYTES.subarray(2_000_000))).status).toBe(204);
    expect((await two.content(id)).equals(BYTES)).toBe(true);
  });

  it('count the bytes of an upload of unknown length once another machine took over from a client that was cut off', async () => {
    const { one, two } = await tusMachines(platform, 1_000, { quotas: { user: { bytes: 2_000_000 } } });
    const usage = () => two.app.get(Quotas).usage({ type: 'user', id: 'ada' });
    const appends = vi.spyOn(one.app.get(UploadAppends), 'append');
    const { path, id } = await one.create({ 'Upload-Defer-Length': 1 });
    const still = openPatch(one.url, path, 0, 1_000_000);
    still.request.write(BYTES.subarray(0, 300_000));
    await expect.poll(() => two.offset(path), SOON).toBe(300_000);
    const statusOf = async () => (await two.patch(path, 300_000, BYTES.subarray(300_000, 800_000))).status;
    await expect.poll(statusOf, { timeout: 20_000, interval: 50 }).toBe(204);
    still.request.destroy();
    await expect(appends.mock.results[0]?.value).rejects.toMatchObject({ code: 'FILES_UPLOAD_BUSY' });
    expect(await usage()).toEqual({ bytes: 800_000, count: 1 });
    expect((await two.patch(path, 800_000, '', { 'Upload-Length': 800_000 })).headers.get('file-id')).toBe(id);
    expect(await usage()).toEqual({ bytes: 800_000, count: 1 });
  });

  it('count the bytes of one of two that count at once, and refuse the other', async () => {
    const { one, two, rows } = await tusMachines(platform, undefined, { quotas: { user: { bytes: 2_000_000 } } });
    const { path, id } = await one.create({ 'Upload-Defer-Length': 1 });
    const read = () => rows.findOneByOrFail({ id });
    const [first, second] = [await read(), await read()];
    await one.app.get(UploadCharges).settle(first, 500);
    const counted = two.app.get(UploadCharges).settle(second, 300);
    await expect(counted).rejects.toMatchObject({ code: 'FILES_UPLOAD_BUSY' });
    const usage = await one.app.get(Quotas).usage({ type: 'user', id: 'ada' });
    expect([usage, (await read()).size]).toEqual([{ bytes: 500, count: 1 }, 500]);
    expect((await two.send('DELETE', path)).status).toBe(204);
    const late = one.app.get(UploadCharges).settle(first, 700);
    await expect(late).rejects.toMatchObject({ code: 'FILES_UPLOAD_NOT_FOUND' });
    expect(await one.app.get(Quotas).usage({ type: 'user', id: 'ada' })).toEqual({ bytes: 0, count: 0 });
  });

  it('end a request that appends when the upload is given up', async () => {
    const { one, files } = await tusMachines(platform);
    const { path } = await one.create({ 'Upload-Length': BYTES.length });
    const open = openPatch(one.url, path, 0, BYTES.length);
    open.request.write(BYTES.subarray(0, 1_000_000));
    await expect.poll(() => one.offset(path), SOON).toBe(1_000_000);
    expect((await one.send('DELETE', path)).status).toBe(204);
    open.request.end(BYTES.subarray(1_000_000));
    expect([undefined, 423]).toContain(await open.answered);
    expect(await files()).toEqual([]);
  });
});
