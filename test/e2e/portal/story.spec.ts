import { FilesService } from 'nestjs-files';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from './portal-client.js';
import type { PortalJson } from './portal-client.js';
import { csv, freshName, pdf } from './samples.js';
import { PLATFORMS, startPortal } from './start-portal.js';
import type { Portal } from './start-portal.js';

/** One line of GET /provenance/:id. */
interface ProvenanceLine {
  action: string;
  from: string | null;
  to: string | null;
  by: string | null;
}

describe.each(PLATFORMS)('the story of the portal on %s', (platform) => {
  let portal: Portal;

  beforeAll(async () => {
    portal = await startPortal(platform);
  });

  afterAll(() => portal.close());

  it('welcomes with suggestions to try', async () => {
    const { status, body } = await portal.visitor.get<{ accounts: { name: string }[] }>('/api');

    expect(status).toBe(200);
    expect(body.accounts.map(({ name }) => name)).toEqual(['alice', 'bob', 'mary']);
  });

  it('lets only who has logged in upload', async () => {
    const { status } = await portal.visitor.sendFile(pdf(), 'report.pdf', 'application/pdf');

    expect(status).toBe(401);
  });

  it('refuses wrong passwords and unknown tokens', async () => {
    const wrong = await portal.visitor.post('/login', { name: 'alice', password: 'guess' });
    const unknown = await portal.visitor.post('/login', { name: 'nobody', password: 'guess' });
    const stranger = await fetch(`${portal.url}/packages`, { headers: { authorization: 'Bearer stolen' } });

    expect([wrong.status, unknown.status, stranger.status]).toEqual([401, 401, 401]);
  });

  it('gives everybody the same bytes once the package that names the file is saved, and refuses them before', async () => {
    const { alice, bob, visitor } = portal;
    const content = pdf();
    const fileId = await alice.upload(content, 'Jahresbericht 2025.pdf');

    expect((await alice.download(fileId)).sha256).toBe(sha256(content));
    expect((await bob.download(fileId)).status).toBe(404);
    expect((await visitor.download(fileId)).status).toBe(404);

    const { status, body } = await alice.post('/packages', {
      name: freshName('report'),
      title: 'Yearly report',
      visibility: 'public',
      attachmentId: fileId,
    });

    expect(status).toBe(201);
    expect(body.attachment).toEqual({
      id: fileId,
      name: 'Jahresbericht 2025.pdf',
      contentType: 'application/pdf',
      url: `/files/${fileId}/content`,
    });
    for (const reader of [alice, bob, visitor]) {
      expect(await reader.download(fileId)).toEqual({ status: 200, sha256: sha256(content) });
    }
    expect((await bob.get(`/files/${fileId}`)).body).toMatchObject({
      ownerType: 'package',
      ownerId: body.id,
      pinned: true,
    });
  });

  it('remembers who gave the file away', async () => {
    const { app, alice, bob } = portal;
    const fileId = await alice.upload(pdf());
    const { body: pkg } = await alice.post('/packages', {
      name: freshName('history'),
      title: 'History',
      visibility: 'public',
      attachmentId: fileId,
    });

    const { body } = await bob.get<ProvenanceLine[]>(`/provenance/${fileId}`);

    expect(body.at(-1)).toMatchObject({ from: `user ${alice.id}`, to: `package ${pkg.id}`, by: 'alice' });
    const history = await app.get(FilesService, { strict: false }).history(fileId);
    expect(history.at(-1)).toMatchObject({ actorType: 'user', actorId: alice.id, toType: 'package', toId: pkg.id });
  });

  it('keeps the history from who may not see the file', async () => {
    const fileId = await portal.alice.upload(pdf());

    expect((await portal.bob.get(`/provenance/${fileId}`)).status).toBe(404);
  });

  it('gives each resource of a package its own file', async () => {
    const { alice, visitor } = portal;
    const [report, table, notes] = [pdf(), csv, pdf()];
    const [reportId, tableId, notesId] = [
      await alice.upload(report),
      await alice.upload(table, 'table.csv', 'text/csv'),
      await alice.upload(notes),
    ];
    const { body } = await alice.post('/packages', {
      name: freshName('nested'),
      title: 'Nested',
      visibility: 'public',
      attachmentId: reportId,
      resources: [
        { name: 'table', fileId: tableId },
        { name: 'notes', fileId: notesId },
      ],
    });

    const ownerOf = async (id: string) => (await visitor.get(`/files/${id}`)).body.ownerId;
    expect(await ownerOf(reportId)).toBe(body.id);
    for (const { id, fileId } of body.resources) expect(await ownerOf(fileId)).toBe(id);
    expect((await visitor.download(tableId)).sha256).toBe(sha256(table));
  });

  it('tells new resources from old ones when a package is saved again', async () => {
    const { alice, visitor } = portal;
    const [first, second, third] = [await alice.upload(pdf()), await alice.upload(pdf()), await alice.upload(pdf())];
    const { body: before } = await alice.post('/packages', {
      name: freshName('again'),
      title: 'Again',
      visibility: 'public',
      resources: [{ name: 'old', fileId: first }],
    });

    const { status, body } = await alice.patch(`/packages/${before.id}`, {
      resources: [
        { name: 'new', fileId: second },
        { id: before.resources[0]!.id, name: 'old', fileId: first },
        { name: 'newer', fileId: third },
      ],
    });

    expect(status).toBe(200);
    expect(body.resources.map(({ name }) => name)).toEqual(['new', 'old', 'newer']);
    for (const { id, fileId } of body.resources) {
      expect((await visitor.get(`/files/${fileId}`)).body).toMatchObject({ ownerType: 'resource', ownerId: id });
    }
  });

  it('keeps the files of a private package to its creator, until it is published', async () => {
    const { alice, bob, visitor } = portal;
    const [attachmentId, fileId] = [await alice.upload(pdf()), await alice.upload(pdf())];
    const { body: pkg } = await alice.post('/packages', {
      name: freshName('secret'),
      title: 'A secret',
      attachmentId,
      resources: [{ name: 'also secret', fileId }],
    });

    expect(pkg.visibility).toBe('private');
    expect((await bob.get(`/packages/${pkg.id}`)).status).toBe(404);
    for (const id of [attachmentId, fileId]) {
      expect((await alice.download(id)).status).toBe(200);
      expect((await bob.download(id)).status).toBe(404);
      expect((await visitor.download(id)).status).toBe(404);
    }

    expect((await alice.post(`/packages/${pkg.id}/publish`)).status).toBe(200);
    for (const id of [attachmentId, fileId]) expect((await visitor.download(id)).status).toBe(200);
  });

  it('writes each publication into the activity, and posts a notice after that', async () => {
    const { alice, visitor } = portal;
    const { body: pkg } = await alice.post('/packages', { name: freshName('news'), title: 'News' });

    await alice.post(`/packages/${pkg.id}/publish`);

    const { body: activity } = await visitor.get<{ packageId: string }[]>('/activity');
    expect(activity.filter(({ packageId }) => packageId === pkg.id)).toEqual([
      expect.objectContaining({ action: 'published', packageTitle: 'News', userName: 'alice' }),
    ]);
    const { body: notices } = await visitor.get<string[]>('/notices');
    expect(notices.filter((notice) => notice.includes(pkg.id))).toHaveLength(1);
  });

  it('lists to each reader the files that they may see', async () => {
    const { alice, bob } = portal;
    const { body: hidden } = await alice.post('/packages', { name: freshName('hidden'), title: 'Hidden' });

    const ids = async (reader: typeof alice) => (await reader.get<PortalJson[]>('/packages')).body.map(({ id }) => id);

    expect(await ids(alice)).toContain(hidden.id);
    expect(await ids(bob)).not.toContain(hidden.id);
  });

  it('replaces an attachment, and takes it off', async () => {
    const { alice, visitor } = portal;
    const [old, replacement] = [await alice.upload(pdf()), await alice.upload(pdf())];
    const { body: pkg } = await alice.post('/packages', {
      name: freshName('replaced'),
      title: 'Replaced',
      visibility: 'public',
      attachmentId: old,
    });

    const replaced = await alice.patch(`/packages/${pkg.id}`, { attachmentId: replacement });
    expect(replaced.status).toBe(200);
    expect(replaced.body.attachment?.id).toBe(replacement);
    expect((await visitor.get(`/files/${replacement}`)).body).toMatchObject({ ownerId: pkg.id, pinned: true });

    const retitled = await alice.patch(`/packages/${pkg.id}`, { title: 'Renamed' });
    expect(retitled.body).toMatchObject({ title: 'Renamed', attachmentId: replacement });

    const cleared = await alice.patch(`/packages/${pkg.id}`, { attachmentId: null });
    expect(cleared.body).toMatchObject({ attachmentId: null, attachment: null });
  });

  it('accepts again the file that a record has already', async () => {
    const { alice } = portal;
    const attachmentId = await alice.upload(pdf());
    const { body: pkg } = await alice.post('/packages', { name: freshName('same'), title: 'Same', attachmentId });

    expect((await alice.patch(`/packages/${pkg.id}`, { attachmentId, title: 'Same again' })).status).toBe(200);
  });
});
