import { FilesService } from 'nestjs-files';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataSource } from 'typeorm';
import { Activity } from '../../../sample/portal/activity/activity.entity.js';
import { ActivityService } from '../../../sample/portal/activity/activity.service.js';
import { Package } from '../../../sample/portal/packages/package.entity.js';
import { Resource } from '../../../sample/portal/resources/resource.entity.js';
import { csv, freshName, pdf, png } from './samples.js';
import { PLATFORMS, startPortal } from './start-portal.js';
import type { Portal } from './start-portal.js';

const QUOTA = 20_000;

describe.each(PLATFORMS)('what the portal refuses on %s', (platform) => {
  let portal: Portal;

  beforeAll(async () => {
    portal = await startPortal(platform, { packageQuota: QUOTA });
  });

  afterAll(() => portal.close());

  /** Holds that the file is still Alice's own and that no record of the name is there. */
  async function expectNothingHappened(fileId: string, name: string): Promise<void> {
    const { app, alice, bob } = portal;
    expect((await alice.get(`/files/${fileId}`)).body).toMatchObject({
      ownerType: 'user',
      ownerId: alice.id,
      pinned: false,
    });
    expect((await bob.download(fileId)).status).toBe(404);
    const history = await app.get(FilesService, { strict: false }).history(fileId);
    expect(history.filter(({ action }) => action === 'transfer')).toEqual([]);
    expect(await app.get(DataSource).getRepository(Package).countBy({ name })).toBe(0);
  }

  describe('a failed save of a package with a file', () => {
    it('saves no package and keeps the file with Alice when another field is invalid', async () => {
      const { alice } = portal;
      const [attachmentId, name] = [await alice.upload(pdf()), freshName('invalid')];

      const { status, body } = await alice.post('/packages', { name, title: '', visibility: 'public', attachmentId });

      expect(status).toBe(400);
      expect(body.message).toEqual([expect.stringContaining('title')]);
      await expectNothingHappened(attachmentId, name);
    });

    it('saves no package and keeps the file with Alice when the database refuses the record', async () => {
      const { alice, app } = portal;
      const [attachmentId, fileId] = [await alice.upload(pdf()), await alice.upload(pdf())];
      const name = freshName('taken');
      await alice.post('/packages', { name, title: 'First' });

      const { status } = await alice.post('/packages', {
        name,
        title: 'Second',
        visibility: 'public',
        attachmentId,
        resources: [{ name: 'data', fileId }],
      });

      expect(status).toBe(409);
      expect(await app.get(DataSource).getRepository(Package).findBy({ name })).toMatchObject([{ title: 'First' }]);
      await expectNothingHappened(attachmentId, freshName('none'));
      await expectNothingHappened(fileId, freshName('none'));
    });

    it('saves no package and keeps the file with Alice when the database refuses a resource after the package was inserted', async () => {
      const { alice } = portal;
      const [first, second] = [await alice.upload(pdf()), await alice.upload(pdf())];
      const name = freshName('twins');

      const { status } = await alice.post('/packages', {
        name,
        title: 'Twins',
        resources: [
          { name: 'twin', fileId: first },
          { name: 'twin', fileId: second },
        ],
      });

      expect(status).toBe(409);
      await expectNothingHappened(first, name);
      await expectNothingHappened(second, name);
    });

    it('saves no package and keeps the file with Alice when a task after the transfer refuses', async () => {
      const { alice, app } = portal;
      const [attachmentId, fileId] = [await alice.upload(pdf(QUOTA)), await alice.upload(pdf())];
      const name = freshName('large');

      const { status } = await alice.post('/packages', {
        name,
        title: 'Too large together',
        visibility: 'public',
        attachmentId,
        resources: [{ name: 'data', fileId }],
      });

      expect(status).toBe(413);
      await expectNothingHappened(attachmentId, name);
      await expectNothingHappened(fileId, name);
      expect(await app.get(DataSource).getRepository(Resource).countBy({ fileId })).toBe(0);
    });
  });

  it('keeps a package private, and posts no notice, when its activity cannot be written', async () => {
    const { alice, app, visitor } = portal;
    const { body: pkg } = await alice.post('/packages', { name: freshName('quiet'), title: 'Quiet' });
    const activity = app.get(ActivityService, { strict: false });
    activity.record = () => Promise.reject(new Error('The activity is full'));

    const { status } = await alice.post(`/packages/${pkg.id}/publish`);
    Reflect.deleteProperty(activity, 'record');

    expect(status).toBe(500);
    expect((await alice.get(`/packages/${pkg.id}`)).body.visibility).toBe('private');
    expect(await app.get(DataSource).getRepository(Activity).countBy({ packageId: pkg.id })).toBe(0);
    expect((await visitor.get<string[]>('/notices')).body.filter((notice) => notice.includes(pkg.id))).toEqual([]);
  });

  it('refuses a file of somebody else, wherever it is named', async () => {
    const { alice, bob } = portal;
    const fileId = await alice.upload(pdf());
    const save = (rest: object) => bob.post('/packages', { name: freshName('bobs'), title: 'Mine now', ...rest });

    const attached = await save({ attachmentId: fileId });
    const nested = await save({ resources: [{ name: 'data', fileId }] });

    expect([attached.status, nested.status]).toEqual([400, 400]);
    expect(attached.body.message).toEqual(['attachmentId: The file does not exist, or you may not use it']);
    expect(nested.body.message).toEqual([expect.stringContaining('The file does not exist, or you may not use it')]);
    expect((await alice.get(`/files/${fileId}`)).body.ownerId).toBe(alice.id);
  });

  it('refuses the file of another package, though both are Alice’s', async () => {
    const { alice } = portal;
    const attachmentId = await alice.upload(pdf());
    const { body: first } = await alice.post('/packages', { name: freshName('first'), title: 'First', attachmentId });

    const { status } = await alice.post('/packages', { name: freshName('second'), title: 'Second', attachmentId });

    expect(status).toBe(400);
    expect((await alice.get(`/files/${attachmentId}`)).body.ownerId).toBe(first.id);
  });

  it('refuses one file for two owners', async () => {
    const { alice } = portal;
    const [fileId, name] = [await alice.upload(pdf()), freshName('torn')];

    const { status } = await alice.post('/packages', {
      name,
      title: 'Torn',
      attachmentId: fileId,
      resources: [{ name: 'data', fileId }],
    });

    expect(status).toBe(422);
    await expectNothingHappened(fileId, name);
  });

  it.each([
    ['an id that is none', 'not-an-id'],
    ['an id of no file', '0198c0de-0000-7000-8000-000000000000'],
    ['a number', 7],
    ['an object', { id: 1 }],
    ['an empty text', ''],
    ['an empty list', []],
    ['a list of ids', ['0198c0de-0000-7000-8000-000000000000']],
  ])('answers 400 to %s', async (_what, attachmentId) => {
    const { status } = await portal.alice.post('/packages', { name: freshName('odd'), title: 'Odd', attachmentId });

    expect(status).toBe(400);
  });

  it('refuses a pinned file', async () => {
    const { alice, app } = portal;
    const attachmentId = await alice.upload(pdf());
    await app.get(FilesService, { strict: false }).pin(attachmentId);

    const { status, body } = await alice.post('/packages', { name: freshName('pin'), title: 'Pinned', attachmentId });

    expect(status).toBe(400);
    expect(body.message).toEqual(['attachmentId: The file is protected and cannot be used here']);
  });

  it('refuses files whose bytes are of a type that the field does not accept', async () => {
    const { alice } = portal;
    const imageId = await alice.upload(csv, 'picture.png', 'image/png');

    const { status } = await alice.post('/groups', { name: freshName('group'), title: 'Group', imageId });

    expect(status).toBe(400);
    expect((await alice.get(`/files/${imageId}`)).body.ownerId).toBe(alice.id);
  });

  it('lets only its creator change a package, and leaves their file to others', async () => {
    const { alice, bob } = portal;
    const { body: pkg } = await alice.post('/packages', {
      name: freshName('open'),
      title: 'Open',
      visibility: 'public',
    });
    const attachmentId = await bob.upload(pdf());

    const patched = await bob.patch(`/packages/${pkg.id}`, { attachmentId });
    const added = await bob.post('/resources', { packageId: pkg.id, name: 'mine', fileId: attachmentId });
    const published = await bob.post(`/packages/${pkg.id}/publish`);

    expect([patched.status, added.status, published.status]).toEqual([403, 403, 403]);
    expect((await bob.get(`/files/${attachmentId}`)).body.ownerId).toBe(bob.id);
    expect((await alice.get(`/packages/${pkg.id}`)).body.attachmentId).toBeNull();
  });

  it.each(['a new package', 'a package of the own'])(
    'leaves a resource and its file to their package when %s names it',
    async (which) => {
      const { alice, bob } = portal;
      const fileId = await alice.upload(pdf());
      const { body: pkg } = await alice.post('/packages', {
        name: freshName('robbed'),
        title: 'Robbed',
        visibility: 'public',
        resources: [{ name: 'data', fileId }],
      });
      const resources = [{ id: pkg.resources[0]!.id, name: 'mine', fileId }];
      const name = freshName('robber');
      const own = (await bob.post('/packages', { name: freshName('own'), title: 'Own' })).body;

      const { status } =
        which === 'a new package'
          ? await bob.post('/packages', { name, title: 'Robber', resources })
          : await bob.patch(`/packages/${own.id}`, { resources });

      expect(status).toBe(400);
      const kept = [{ id: pkg.resources[0]!.id, name: 'data', fileId }];
      expect((await alice.get(`/packages/${pkg.id}`)).body.resources).toMatchObject(kept);
      expect((await bob.delete(`/files/${fileId}`)).status).toBe(403);
      expect((await alice.get(`/files/${fileId}`)).body.ownerId).toBe(pkg.resources[0]!.id);
    },
  );

  it('hides a private package from everybody who would change it', async () => {
    const { body: pkg } = await portal.alice.post('/packages', { name: freshName('hid'), title: 'Hidden' });

    expect((await portal.bob.patch(`/packages/${pkg.id}`, { title: 'Found' })).status).toBe(404);
  });

  it.each(['/packages', '/resources', '/groups', '/organizations', '/users'])(
    'takes nothing on POST %s from who has not logged in',
    async (path) => {
      expect((await portal.visitor.post(path, {})).status).toBe(401);
    },
  );

  it('keeps Bob from taking the avatar of Alice', async () => {
    const { alice, bob } = portal;
    const avatarId = await alice.upload(png, 'me.png', 'image/png');
    await alice.patch(`/users/${alice.id}`, { avatarId });

    const { status } = await bob.patch(`/users/${bob.id}`, { avatarId });

    expect(status).toBe(400);
    expect((await alice.get(`/files/${avatarId}`)).body.ownerId).toBe(alice.id);
  });
});
