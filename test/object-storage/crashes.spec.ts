import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileModule } from '../support/compiled-module.js';
import { newDirectory } from '../support/files-directory.js';
import { s3Proxy } from '../support/s3-proxy.js';
import { newS3Storage, s3Config } from '../support/s3-server.js';

const PART = 5 * 1024 * 1024;
const SIZE = 2 * PART + 1000;

let script = '';
beforeAll(async () => {
  script = await compileModule(fileURLToPath(new URL('writer.child.ts', import.meta.url)), newDirectory());
});

/** A storage where a process was killed when the server was about to get the first request that matches. */
async function afterDeathAt(pattern: RegExp) {
  const proxy = await s3Proxy();
  const { storage, bucket, inside } = await newS3Storage();
  const client = { ...s3Config(), endpoint: proxy.endpoint };
  const options = JSON.stringify({ client, bucket, prefix: inside.prefix, partSize: PART });
  const never = new Promise<void>(() => {});
  const isThere = new Promise<void>((resolve) => {
    proxy.decide = ({ text: one }) => {
      if (!pattern.test(one)) return undefined;
      resolve();
      return { until: never };
    };
  });
  const child = spawn(process.execPath, [script, options, String(SIZE)], { stdio: 'inherit' });
  const ended = once(child, 'exit');
  await Promise.race([isThere, ended]);
  child.kill('SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
  return { storage, inside };
}

describe('a process that dies while it writes to s3Storage', () => {
  it.each([
    ['a part', /^PUT .*partNumber=3/, 2 * PART, []],
    ['the claim', /^PUT [^?]*$/, SIZE, []],
    ['the completion', /^POST .*uploadId=/, SIZE, ['file']],
  ] as [string, RegExp, number, string[]][])(
    'leaves only bytes that are swept when it dies before %s',
    async (_what, pattern, size, keys) => {
      const { storage, inside } = await afterDeathAt(pattern);
      expect([await inside.keys(), await inside.uploads()]).toEqual([keys, ['file']]);
      expect(await storage.exists('file')).toBe(false);
      await expect(storage.read('file')).rejects.toMatchObject({ code: 'FILES_LOCATION_NOT_FOUND' });
      for await (const { location } of storage.list()) expect.fail(location);

      expect(await storage.removeLeftovers(new Date(Date.now() - 60_000))).toEqual({ count: 0, size: 0 });
      const swept = await storage.removeLeftovers(new Date(Date.now() + 60_000));

      // Of two parts at once the other may have been on its way.
      expect(swept.count).toBe(1);
      expect(swept.size).toBeGreaterThanOrEqual(size - PART);
      expect(swept.size).toBeLessThanOrEqual(size);
      expect([await inside.keys(), await inside.uploads()]).toEqual([[], []]);
      await storage.write('file', Readable.from([Buffer.from('again')]));
      expect(await text(await storage.read('file'))).toBe('again');
    },
  );

  it('leaves a claim that a removal takes away, as the sweeper makes one for an intent', async () => {
    const { storage, inside } = await afterDeathAt(/^POST .*uploadId=/);
    await storage.remove('file');
    await storage.write('file', Readable.from([Buffer.from('again')]));
    expect(await storage.removeLeftovers(new Date(Date.now() + 60_000))).toEqual({ count: 1, size: SIZE });
    expect(await text(await storage.read('file'))).toBe('again');
    expect(await inside.uploads()).toEqual([]);
  });
});
