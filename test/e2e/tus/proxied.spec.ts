import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { PLATFORMS } from '../../support/http-app.js';
import { proxyInTurn } from '../../support/proxy-in-turn.js';
import { sendByTus, tusMachines } from '../../support/tus-app.js';

const BYTES = randomBytes(3_000_000);

it.each(PLATFORMS)('makes a file of requests that a proxy shares among two machines with %s', async (platform) => {
  const { one, two, files } = await tusMachines(platform);
  const { url, seen } = await proxyInTurn([one.url, two.url]);
  const id = await sendByTus(url, BYTES, { chunkSize: 500_000 });
  const parts = await sendByTus(url, BYTES, { chunkSize: 500_000, parallelUploads: 2 });
  for (const { content, read } of [one, two])
    for (const file of [id, parts]) {
      expect((await content(file)).equals(BYTES)).toBe(true);
      expect((await read(file)).body).toMatchObject({ name: 'film.bin', size: BYTES.length });
    }
  for (const machine of [one, two])
    expect(seen.filter(({ url, method }) => url === machine.url && method === 'PATCH').length).toBeGreaterThan(2);
  await expect.poll(files).toHaveLength(2);
});
