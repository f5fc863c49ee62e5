import { describe, expect, it } from 'vitest';
import { actionApp, Gallery } from '../../support/action-app.js';
import { PLATFORMS } from '../../support/http-app.js';
import { tusOf } from '../../support/tus-app.js';

describe.each(PLATFORMS)('a field with @UploadAs() on %s', (platform) => {
  it('takes the id of an upload that was completed before', async () => {
    const app = await actionApp({ platform });
    const { create } = tusOf(app);
    const sent = async (user = 'anna') => (await create({ 'Upload-Length': 5, user }, 'cover')).id;
    const [cover, one, two] = [await sent(), await sent(), await sent()];
    const { status, body } = await app.send('/galleries', { title: 'Sea', coverId: cover, images: [one, two] });
    expect({ status, body }).toMatchObject({ status: 201, body: { coverId: cover, images: [one, two] } });
    const row = await app.dataSource.getRepository(Gallery).findOneByOrFail({ id: body['id'] as number });
    expect([row.coverId, row.images]).toEqual([cover, [one, two]]);
    const files = await app.files();
    expect(files.map(({ ownerType, ownerId, pinned }) => [ownerType, ownerId, pinned])).toEqual(
      files.map(() => ['gallery', String(row.id), true]),
    );
    const foreign = [cover, await sent('bob'), (await create({ 'Upload-Length': 9, user: 'anna' }, 'open')).id];
    for (const coverId of foreign)
      expect(await app.send('/galleries', { title: 'x', coverId })).toMatchObject({
        status: 400,
        body: { code: 'FILES_VALIDATION_FAILED' },
      });
  });
});
