import { describe, expect, it } from 'vitest';
import { FileTransfer } from '../../../lib/ownership/file-transfer.entity.js';
import { actionApp, actionForm, Gallery, Picture, textFile } from '../../support/action-app.js';
import type { ActionApp } from '../../support/action-app.js';
import { reachableDatabases } from '../../support/databases.js';
import { PLATFORMS } from '../../support/http-app.js';
import { storageWith } from '../../support/storage-with.js';

describe.each(PLATFORMS)('a form with files, on %s', (platform) => {
  const setup = { platform };

  it('saves the record and its file in one commit, and answers with both', async () => {
    const app = await actionApp(setup);
    const { status, body } = await app.send(
      '/galleries',
      actionForm([
        ['title', 'Sea'],
        ['coverId', textFile('waves')],
      ]),
    );
    const [file] = await app.files();
    expect({ status, body }).toMatchObject({
      status: 201,
      body: { id: 1, title: 'Sea', coverId: file?.id, version: 1 },
    });
    expect(file).toMatchObject({
      name: 'waves.txt',
      size: 5,
      contentType: 'text/plain',
      ownerType: 'gallery',
      ownerId: '1',
      ownerField: 'coverId',
      pinned: true,
    });
    expect(await app.dataSource.getRepository(Gallery).findOneBy({ id: 1 })).toMatchObject({
      coverId: file?.id,
      version: 1,
    });
    const history = await app.dataSource.getRepository(FileTransfer).find();
    expect(history).toMatchObject([
      {
        fileId: file?.id,
        action: 'create',
        fromType: null,
        toType: 'gallery',
        toId: '1',
        actorType: 'user',
        actorId: 'anna',
      },
    ]);
    expect(await app.counts()).toEqual({ galleries: 1, files: 1, intents: 0, stored: 1 });
    const content = await app.fetch(`/files/${file?.id}/content`, { user: 'admin' });
    expect(await content.text()).toBe('waves');
  });

  it('writes the address of the file where the entity wants that', async () => {
    const app = await actionApp(setup);
    const { body } = await app.send(
      '/galleries',
      actionForm([
        ['poster', textFile('poster')],
        ['title', 'Sea'],
      ]),
    );
    const [file] = await app.files();
    expect(body).toMatchObject({ id: 1, posterUrl: `/files/${file?.id}/content`, coverId: null });
    expect(file).toMatchObject({ ownerType: 'gallery', ownerId: '1', ownerField: 'posterUrl' });
    expect(await app.dataSource.getRepository(Gallery).findOneBy({ id: 1 })).toMatchObject({
      posterUrl: body['posterUrl'],
      version: 1,
    });
    expect(await (await app.fetch(String(body['posterUrl']), { user: 'admin' })).text()).toBe('poster');
  });

  it('takes several files of one field, in their order, and one alone as a list', async () => {
    const app = await actionApp(setup);
    const several = await app.send(
      '/galleries',
      actionForm([
        ['title', 'Sea'],
        ['images', textFile('a')],
        ['images[]', textFile('b')],
        ['images', textFile('c')],
      ]),
    );
    const names = new Map((await app.files()).map(({ id, name }) => [id, name]));
    expect((several.body['images'] as string[]).map((id) => names.get(id))).toEqual(['a.txt', 'b.txt', 'c.txt']);
    const one = await app.send(
      '/galleries',
      actionForm([
        ['images', textFile('d')],
        ['title', 'Sun'],
      ]),
    );
    const galleries = await app.dataSource.getRepository(Gallery).find({ order: { id: 'ASC' } });
    expect(galleries.map(({ images }) => images)).toEqual([several.body['images'], one.body['images']]);
    expect(one.body['images']).toHaveLength(1);
  });

  it('gives nested files to the nested records that name them', async () => {
    const app = await actionApp(setup);
    const { status, body } = await app.send(
      '/galleries',
      actionForm([
        ['title', 'Sea'],
        ['coverId', textFile('cover')],
        ['pictures[1][fileId]', textFile('second')],
        ['pictures[1][label]', 'second'],
        ['pictures.0.label', 'first'],
        ['pictures.0.fileId', textFile('first')],
      ]),
    );
    expect([status, body]).toMatchObject([201, { pictures: [{ label: 'first' }, { label: 'second' }] }]);
    const pictures = await app.dataSource.getRepository(Picture).find({ order: { label: 'ASC' } });
    const owned = (await app.files()).filter(({ ownerType }) => ownerType === 'picture');
    const found = pictures.map(
      ({ id, fileId }) => owned.find((file) => file.id === fileId && file.ownerId === id)?.name,
    );
    expect(found).toEqual(['first.txt', 'second.txt']);
    expect(await app.counts()).toMatchObject({ files: 3, intents: 0, stored: 3 });
  });

  it('needs as many statements for ten files as for two', async () => {
    const app = await actionApp(setup);
    const counted = async (count: number): Promise<number> => {
      const { statements, stop } = drainStatements(app);
      const images = Array.from({ length: count }, (_, at): Fields[number] => ['images', textFile(`image ${at}`)]);
      await app.send('/galleries', actionForm([['title', 'Sea'], ...images]));
      stop();
      return statements.length;
    };
    const two = await counted(2);
    expect(await counted(10)).toBe(two);
    expect(two).toBeGreaterThan(3);
  });

  it('lets go of the file that the field held before, its bytes too', async () => {
    const app = await actionApp(setup);
    await app.send(
      '/galleries',
      actionForm([
        ['title', 'Sea'],
        ['coverId', textFile('old')],
      ]),
    );
    const { status, body } = await app.send(
      '/galleries/1',
      actionForm([
        ['title', 'Sea'],
        ['coverId', textFile('new')],
      ]),
      'PATCH',
    );
    expect(status).toBe(200);
    expect(await app.files()).toMatchObject([{ id: body['coverId'], name: 'new.txt', ownerId: '1' }]);
    expect(await app.counts()).toEqual({ galleries: 1, files: 1, intents: 0, stored: 1 });
    const emptied = await app.send('/galleries/1', { title: 'Sea', coverId: null }, 'PATCH');
    expect(emptied).toMatchObject({ status: 200, body: { coverId: null } });
    expect(await app.counts()).toEqual({ galleries: 1, files: 0, intents: 0, stored: 0 });
  });
});

describe.each(PLATFORMS)('the body on %s', (platform) => {
  it('reaches a pipe without transform', async () => {
    const app = await actionApp({ platform, pipe: { transform: false } });
    const { status, body } = await app.send(
      '/galleries',
      actionForm([
        ['title', 'Sea'],
        ['coverId', textFile('a')],
        ['pictures[0][label]', 'x'],
        ['pictures[0][fileId]', textFile('b')],
      ]),
    );
    expect(status).toBe(201);
    expect((await app.files()).map(({ ownerType, id }) => [ownerType, id])).toEqual([
      ['gallery', body['coverId']],
      ['picture', (body['pictures'] as Picture[])[0]?.fileId],
    ]);
  });

  it('may be JSON, and what imitates a file in it is refused', async () => {
    const app = await actionApp({ platform });
    expect(await app.send('/galleries', { title: 'Sea' })).toMatchObject({ status: 201, body: { coverId: null } });
    const { body } = await app.send(
      '/galleries',
      actionForm([
        ['title', 'Sea'],
        ['coverId', textFile('a')],
      ]),
    );
    const before = await app.counts();
    const imitations = [
      body['coverId'],
      { id: body['coverId'], size: 1, storage: 'default' },
      [body['coverId']],
      1,
      true,
    ];
    for (const coverId of imitations) {
      const answer = await app.send('/galleries', { title: 'Sea', coverId });
      expect(answer.status).toBe(400);
      expect((answer.body['message'] as string[]).join()).toMatch(
        /coverId: (Must be (an uploaded file|one file)|The file does not exist, or you may not use it)/,
      );
      const form = await app.send(
        '/galleries',
        actionForm([
          ['title', 'Sea'],
          ['coverId', String(coverId)],
        ]),
      );
      expect(form.status).toBe(400);
    }
    expect(await app.counts()).toEqual(before);
  });

  it('comes to the address of a public storage', async () => {
    const storage = storageWith({ publicUrl: async (location) => `https://cdn.test/${location}` });
    const app = await actionApp({ platform, options: { storages: { default: storage } } });
    const { body } = await app.send(
      '/galleries',
      actionForm([
        ['title', 'Sea'],
        ['poster', textFile('a')],
      ]),
    );
    expect(body['posterUrl']).toBe(`https://cdn.test/${(await app.files())[0]?.location}`);
  });
});

describe.each(await reachableDatabases('postgres', 'mariadb'))('a form with files, on $name', (database) => {
  it('is saved whole, in a number of statements that does not depend on the number of files, or not at all', async () => {
    const app = await actionApp({ database, platform: database.kind === 'postgres' ? 'express' : 'fastify' });
    const nested = (count: number): Fields =>
      Array.from({ length: count }, (_, at) => at).flatMap((at): Fields => [
        [`pictures[${at}][label]`, `p${at}`],
        [`pictures[${at}][fileId]`, textFile(`p${at}`)],
        ['images', textFile(`image ${at}`)],
      ]);
    const form = (count: number, title = 'Sea') =>
      actionForm([['title', title], ['coverId', textFile('cover')], ['poster', textFile('poster')], ...nested(count)]);
    const save = async (count: number): Promise<number> => {
      const { statements, stop } = drainStatements(app);
      const { status, body } = await app.send('/galleries', form(count));
      stop();
      expect([status, body]).toMatchObject([201, { version: 1 }]);
      const files = new Map((await app.files()).map((file) => [file.id, file]));
      const id = Number(body['id']);
      const saved = await app.dataSource
        .getRepository(Gallery)
        .findOneOrFail({ where: { id }, relations: { pictures: true } });
      expect(saved).toMatchObject({
        version: 1,
        coverId: body['coverId'],
        posterUrl: body['posterUrl'],
        images: body['images'],
      });
      expect(files.get(saved.coverId ?? '')).toMatchObject({
        ownerType: 'gallery',
        ownerId: String(id),
        name: 'cover.txt',
        pinned: true,
      });
      expect(saved.images?.map((image) => files.get(image)?.name)).toEqual(
        Array.from({ length: count }, (_, at) => `image ${at}.txt`),
      );
      for (const picture of saved.pictures)
        expect(files.get(picture.fileId ?? '')).toMatchObject({ ownerId: picture.id, name: `${picture.label}.txt` });
      return statements.length;
    };
    expect(await save(9)).toBe(await save(2));
    const before = await app.counts();
    expect(before).toEqual({ galleries: 2, files: 4 + 2 * 11, intents: 0, stored: 4 + 2 * 11 });
    const replaced = await app.send(
      '/galleries/1',
      actionForm([
        ['title', 'Sea'],
        ['coverId', textFile('new')],
      ]),
      'PATCH',
    );
    expect(replaced.status).toBe(200);
    expect((await app.send('/galleries', form(2, ''))).status).toBe(400);
    app.afterwards.run = () => Promise.reject(new Error('no'));
    expect((await app.send('/galleries', form(2))).status).toBe(500);
    expect(await app.counts()).toEqual(before);
  });
});

type Fields = Parameters<typeof actionForm>[0];

/** What the database is asked after the handler has saved. */
function drainStatements(app: ActionApp): { statements: string[]; stop: () => void } {
  const statements: string[] = [];
  const log = (logQuery: (sql: string) => void) => void Object.assign(app.dataSource, { logger: { logQuery } });
  app.afterwards.run = () => log((sql) => void statements.push(sql));
  return { statements, stop: () => log(() => undefined) };
}
