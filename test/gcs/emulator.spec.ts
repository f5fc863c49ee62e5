import { randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { gcsStorage } from 'nestjs-files/storage/gcs';
import { clientOf, GCS } from './server.js';

const bytes = randomBytes(1_000_000);

// The emulator alone, which ignores conditions, signatures, and that an upload has several chunks.
describe.skipIf(!GCS)('the emulator, without a front', () => {
  const setUp = async () => {
    // With this variable the client has the addresses of the emulator, which are others than Google's.
    vi.stubEnv('STORAGE_EMULATOR_HOST', GCS);
    onTestFinished(() => void vi.unstubAllEnvs());
    const bucket = clientOf(new URL(GCS ?? '')).bucket(`test-${randomUUID()}`);
    const storage = gcsStorage({ bucket, prefix: 'app/' });
    await storage.connect();
    await storage.write('a b/ü?#%', Readable.from([bytes], { objectMode: false }));
    return storage;
  };

  it('keeps, reads, copies, lists and removes files', async () => {
    const storage = await setUp();
    expect((await buffer(await storage.read('a b/ü?#%'))).equals(bytes)).toBe(true);
    const part = await buffer(await storage.read('a b/ü?#%', { start: 10, end: 99_999 }));
    expect(part.equals(bytes.subarray(10, 100_000))).toBe(true);
    await storage.copy('a b/ü?#%', 'copy');
    expect((await buffer(await storage.read('copy'))).equals(bytes)).toBe(true);
    const found: [string, number][] = [];
    for await (const { location, size } of storage.list()) found.push([location, size]);
    expect(found).toEqual([
      ['a b/ü?#%', bytes.length],
      ['copy', bytes.length],
    ]);
    await storage.removeAll(['a b/ü?#%', 'copy', 'none']);
    expect([await storage.exists('copy'), await storage.stat('a b/ü?#%')]).toEqual([false, undefined]);
    await expect(storage.read('copy')).rejects.toMatchObject({ code: 'FILES_LOCATION_NOT_FOUND' });
  });

  it('keeps a mark', async () => {
    const { markPlace } = await setUp();
    expect([await markPlace?.read(), await markPlace?.create('one'), await markPlace?.read()]).toEqual([
      undefined,
      true,
      'one',
    ]);
  });
});
