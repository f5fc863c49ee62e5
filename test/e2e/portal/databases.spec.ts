import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Package } from '../../../sample/portal/packages/package.entity.js';
import { reachableDatabases } from '../../support/databases.js';
import type { OpenDatabase } from '../../support/databases.js';
import { insertFile } from '../../support/ownership-databases.js';
import { sha256 } from './portal-client.js';
import { csv, freshName, pdf } from './samples.js';
import { startPortal } from './start-portal.js';
import type { Portal } from './start-portal.js';

const QUOTA = 20_000;

interface Page {
  count: number;
  files: { id: string }[];
  next: string | null;
}

describe.each(await reachableDatabases('file', 'postgres', 'mariadb'))('the portal on $name', ({ open }) => {
  let database: OpenDatabase;
  let portal: Portal;

  beforeAll(async () => {
    database = await open({ entities: [] });
    portal = await startPortal('express', { database: { ...database.dataSource.options }, packageQuota: QUOTA });
  });

  afterAll(async () => {
    // A server keeps the database if it is not closed, also when the portal did not start on it.
    await portal?.close();
    await database.close();
  });

  it('saves a package with its files', async () => {
    const { alice, bob } = portal;
    const content = pdf();
    const [attachmentId, fileId] = [await alice.upload(content), await alice.upload(csv, 'a.csv', 'text/csv')];

    const { status, body } = await alice.post('/packages', {
      name: freshName('saved'),
      title: 'Saved',
      visibility: 'public',
      attachmentId,
      resources: [{ name: 'data', fileId }],
    });

    expect(status).toBe(201);
    expect(await bob.download(attachmentId)).toEqual({ status: 200, sha256: sha256(content) });
    expect((await bob.get(`/files/${fileId}`)).body).toMatchObject({
      ownerType: 'resource',
      ownerId: body.resources[0]!.id,
    });
    expect((await bob.get(`/packages/${body.id}`)).body).toMatchObject({ attachmentId, resources: [{ fileId }] });
  });

  it('lists the files of a user who has made many records, page by page', async () => {
    const { bob, visitor } = portal;
    const dataSource = portal.app.get(DataSource);
    const account = { name: freshName('dora'), password: 'once-upon-a-time' };
    await bob.post('/users', { ...account, fullName: 'Dora' });
    const dora = await visitor.logIn(account.name, account.password);
    const creatorId = dora.id!;
    // More records than a search takes owners.
    const packages = Array.from({ length: 90 }, (_, index) => {
      return { name: freshName(`many-${index}`), title: 'Many', visibility: 'public' as const, creatorId };
    });
    const made = await dataSource.getRepository(Package).save(packages);
    const packageId = made.at(-1)!.id;
    const fileId = await dora.upload(csv, 'a.csv', 'text/csv');
    expect((await dora.post('/resources', { packageId, name: 'part', fileId })).status).toBe(201);
    const owners = [...made.map(({ id }) => ['package', id]), ...Array.from({ length: 20 }, () => ['user', creatorId])];
    const expected = [fileId];
    for (const [ownerType = '', ownerId = ''] of owners) {
      expected.push(await insertFile(dataSource, { ownerType, ownerId }));
    }
    const others = await bob.upload(pdf());
    const seen: string[] = [];
    let after = '';
    do {
      const { status, body } = await dora.get<Page>(`/web/data/files${after && `?after=${after}`}`);
      expect([status, body.count]).toEqual([200, expected.length]);
      seen.push(...body.files.map(({ id }) => id));
      after = body.next ?? '';
    } while (after !== '');
    expect(seen.toSorted()).toEqual(expected.toSorted());
    expect(seen).not.toContain(others);
    for (const wrong of ['x', '1.nope', `1.${'f'.repeat(36)}`])
      expect((await dora.get(`/web/data/files?after=${wrong}`)).status).toBe(200);
  });

  it('replaces the list of resources', async () => {
    const { alice, bob } = portal;
    const [first, second, third] = [await alice.upload(pdf()), await alice.upload(pdf()), await alice.upload(pdf())];
    const { body: pkg } = await alice.post('/packages', {
      name: freshName('list'),
      title: 'List',
      visibility: 'public',
      resources: [
        { name: 'kept', fileId: first },
        { name: 'dropped', fileId: second },
      ],
    });
    const kept = pkg.resources.find(({ name }) => name === 'kept')!;

    const { status, body } = await alice.patch(`/packages/${pkg.id}`, {
      resources: [
        { name: 'new', fileId: third },
        { id: kept.id, name: 'kept', fileId: first },
      ],
    });

    expect(status).toBe(200);
    expect((await bob.get(`/packages/${pkg.id}`)).body.resources).toHaveLength(2);
    expect((await bob.get(`/files/${first}`)).body.ownerId).toBe(kept.id);
    expect((await bob.get(`/files/${third}`)).body.ownerId).toBe(body.resources[0]!.id);
  });

  it.each([
    ['the name is taken', 409, { name: 'taken', size: 0 }],
    ['a task refuses', 413, { name: undefined, size: QUOTA }],
  ])('leaves the file to Alice when %s', async (_why, expected, { name = freshName('large'), size }) => {
    const { alice } = portal;
    await alice.post('/packages', { name: 'taken', title: 'First' });
    const attachmentId = await alice.upload(pdf(size + 1));

    const { status } = await alice.post('/packages', { name, title: 'Second', attachmentId });

    expect(status).toBe(expected);
    expect((await alice.get(`/files/${attachmentId}`)).body).toMatchObject({ ownerId: alice.id, pinned: false });
  });

  it('gives a file to one of two packages that are saved at once', async () => {
    const { alice } = portal;
    const attachmentId = await alice.upload(pdf());
    const save = () => alice.post('/packages', { name: freshName('race'), title: 'Race', attachmentId });

    const answers = await Promise.all([save(), save()]);

    const [winner, ...others] = answers.filter(({ status }) => status === 201);
    expect(others).toEqual([]);
    expect((await alice.get(`/files/${attachmentId}`)).body.ownerId).toBe(winner!.body.id);
    expect(answers.map(({ status }) => status).filter((status) => status === 400 || status === 409)).toHaveLength(1);
  });
});
