import sharp from 'sharp';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freshName } from './samples.js';
import { PLATFORMS, startPortal } from './start-portal.js';
import type { PortalClient } from './portal-client.js';

const picture = await sharp({ create: { width: 900, height: 600, channels: 3, background: 'teal' } })
  .png()
  .toBuffer();

describe.each(PLATFORMS)('the thumbnails of the portal on %s', (platform) => {
  async function world(thumbnails?: boolean) {
    const portal = await startPortal(platform, thumbnails === undefined ? {} : { thumbnails });
    onTestFinished(() => portal.close());
    const id = await portal.alice.upload(new Uint8Array(picture), 'hare.png', 'image/png');
    const thumbnail = (client: PortalClient) =>
      fetch(`${portal.url}/files/${id}/thumbnail`, {
        headers: client.token ? { authorization: `Bearer ${client.token}` } : {},
      });
    return { ...portal, id, thumbnail };
  }

  it('are small pictures, for those who may see the picture, before and after it belongs to a group', async () => {
    const { alice, bob, mary, id, thumbnail } = await world();
    await expect.poll(async () => (await thumbnail(alice)).status, { timeout: 20_000 }).toBe(200);
    const { width, height, format } = await sharp(Buffer.from(await (await thumbnail(alice)).arrayBuffer())).metadata();
    expect({ width, height, format }).toEqual({ width: 192, height: 192, format: 'webp' });
    expect([(await thumbnail(bob)).status, (await thumbnail(mary)).status]).toEqual([404, 200]);
    const group = await alice.post('/groups', { name: freshName('hares'), title: 'Hares', imageId: id });
    expect(group.status).toBe(201);
    expect((await thumbnail(bob)).status).toBe(200);
  });

  it('are left out without sharp, and the portal runs', async () => {
    const { alice, thumbnail } = await world(false);
    expect((await thumbnail(alice)).status).toBe(404);
  });
});
