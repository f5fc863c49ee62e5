import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from './portal-client.js';
import { csv, freshName, pdf, png } from './samples.js';
import { PLATFORMS, startPortal } from './start-portal.js';
import type { Portal } from './start-portal.js';

describe.each(PLATFORMS)('the ten actions on %s', (platform) => {
  let portal: Portal;

  beforeAll(async () => {
    portal = await startPortal(platform);
  });

  afterAll(() => portal.close());

  const picture = () => portal.alice.upload(png, 'picture.png', 'image/png');

  describe.each([
    ['groups', 'group'],
    ['organizations', 'organization'],
  ])('of %s', (path, ownerType) => {
    it(`give the image to the ${ownerType}, and everybody sees it`, async () => {
      const { alice, bob, visitor } = portal;
      const [first, second] = [await picture(), await picture()];

      const created = await alice.post(`/${path}`, { name: freshName('a'), title: 'A', imageId: first });
      expect(created.status).toBe(201);
      expect(created.body.image).toMatchObject({ id: first, name: 'picture.png' });

      const updated = await alice.patch(`/${path}/${created.body.id}`, { imageId: second });
      expect(updated.status).toBe(200);
      for (const id of [first, second]) {
        expect((await bob.get(`/files/${id}`)).body).toMatchObject({ ownerType, ownerId: created.body.id });
        expect((await visitor.download(id)).sha256).toBe(sha256(png));
      }
      expect((await visitor.get(`/${path}/${created.body.id}`)).body.image?.id).toBe(second);
    });

    it(`refuse everybody who did not make the ${ownerType}`, async () => {
      const { alice, bob } = portal;
      const { body } = await alice.post(`/${path}`, { name: freshName('b'), title: 'B' });

      expect((await bob.patch(`/${path}/${body.id}`, { title: 'Mine' })).status).toBe(403);
    });
  });

  it('give the file to the resource', async () => {
    const { alice, bob, visitor } = portal;
    const { body: pkg } = await alice.post('/packages', {
      name: freshName('res'),
      title: 'Resources',
      visibility: 'public',
    });
    const content = pdf();
    const [first, second] = [await alice.upload(csv, 'a.csv', 'text/csv'), await alice.upload(content)];

    const created = await alice.post('/resources', { packageId: pkg.id, name: 'data', fileId: first });
    expect(created.status).toBe(201);
    const updated = await alice.patch(`/resources/${created.body.id}`, { fileId: second });
    expect(updated.body).toMatchObject({ id: created.body.id, name: 'data', fileId: second });

    for (const id of [first, second]) {
      expect((await bob.get(`/files/${id}`)).body).toMatchObject({ ownerType: 'resource', ownerId: created.body.id });
    }
    expect((await visitor.download(second)).sha256).toBe(sha256(content));
    expect((await visitor.get(`/resources/${created.body.id}`)).body.fileId).toBe(second);
    expect((await visitor.get(`/packages/${pkg.id}`)).body.resources).toMatchObject([{ name: 'data', fileId: second }]);
  });

  it('give the avatar to the user, and everybody sees it', async () => {
    const { alice, visitor } = portal;
    const avatarId = await picture();
    const account = { name: freshName('carol'), fullName: 'Carol', password: 'once-upon-a-time' };

    const { status, body } = await alice.post('/users', { ...account, avatarId });

    expect(status).toBe(201);
    expect(body).not.toHaveProperty('password');
    expect((await visitor.get(`/files/${avatarId}`)).body).toMatchObject({ ownerType: 'user', ownerId: body.id });
    expect((await visitor.download(avatarId)).sha256).toBe(sha256(png));
    expect((await (await visitor.logIn(account.name, account.password)).get(`/users/${body.id}`)).status).toBe(200);
  });

  it('let Alice take one of her pictures as her avatar, and leave her other files alone', async () => {
    const { alice, bob, visitor } = portal;
    const [avatarId, diary] = [await picture(), await alice.upload(pdf())];
    expect((await visitor.download(avatarId)).status).toBe(404);

    const { status, body } = await alice.patch(`/users/${alice.id}`, { avatarId });

    expect(status).toBe(200);
    expect(body.avatar?.id).toBe(avatarId);
    expect((await visitor.download(avatarId)).status).toBe(200);
    expect((await bob.download(diary)).status).toBe(404);
    expect((await bob.patch(`/users/${alice.id}`, { fullName: 'Bob' })).status).toBe(403);
  });
});
