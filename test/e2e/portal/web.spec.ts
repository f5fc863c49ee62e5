import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshName, pdf, png } from './samples.js';
import { PLATFORMS, startPortal } from './start-portal.js';
import type { Portal } from './start-portal.js';

const PASSWORD = 'through-the-looking-glass';

describe.each(PLATFORMS)('the pages of the portal on %s', (platform) => {
  let portal: Portal;

  beforeAll(async () => {
    portal = await startPortal(platform);
  });

  afterAll(() => portal.close());

  /** A request as a browser makes it that does not follow redirects. */
  function ask(path: string, headers: Record<string, string> = {}, init: RequestInit = {}): Promise<Response> {
    return fetch(portal.url + path, { redirect: 'manual', ...init, headers });
  }

  function logIn(fields: Record<string, string>, path = '/web/login', headers = { origin: portal.url }) {
    return ask(path, headers, { method: 'POST', body: new URLSearchParams(fields) });
  }

  const cookieOf = (token = portal.alice.token!) => ({ cookie: `other=1; portal_session=${token}` });

  it('reach a browser that opens the address of the portal', async () => {
    const response = await fetch(portal.url);

    expect(new URL(response.url).pathname).toBe('/web/packages');
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  });

  it('run only scripts of the portal, and no inline script', async () => {
    const response = await ask('/web/packages');
    const policy = response.headers.get('content-security-policy');

    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).not.toContain('unsafe');
    expect(await response.text()).not.toMatch(/<script(?! type="module" src=)|\son\w+=|\sstyle=/);
  });

  it('serve assets that a browser may keep, and nothing else', async () => {
    const html = await (await ask('/web/packages')).text();
    const [, script = ''] = /src="([^"]+\.js)"/.exec(html) ?? [];

    const found = await ask(script);
    expect(found.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(found.headers.get('cache-control')).toContain('immutable');
    expect(await found.text()).toContain('import');
    for (const name of ['missing.js', '..%2fpage.ts', '..%2f..%2f..%2fpackage.json', '%00', 'constructor']) {
      expect((await ask(script.replace(/[^/]+$/, name))).status).toBeGreaterThanOrEqual(400);
    }
  });

  it('give a cookie that scripts and other sites do not get', async () => {
    const response = await logIn({ name: 'alice', password: PASSWORD });

    expect(response.status).toBe(303);
    expect(response.headers.get('location')).toBe('/web/files');
    expect(response.headers.get('set-cookie')).toMatch(/^portal_session=[\w-]+; Path=\/; HttpOnly; SameSite=Lax$/);
  });

  it('say who has not the right password, and show the name as a text', async () => {
    const response = await logIn({ name: '"><script>alert(1)</script>', password: 'guess' });
    const html = await response.text();

    expect(response.status).toBe(401);
    expect(html).toContain('role="alert"');
    expect(html).toContain('value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"');
  });

  it('lead only to pages after logging in, whatever the link says', async () => {
    const asked = [
      '/web/packages/new',
      '//evil.example',
      'https://evil.example/web/',
      '/web/\\evil.example',
      '/packages',
    ];
    const answers = await Promise.all(
      asked.map((next) => logIn({ name: 'alice', password: PASSWORD }, `/web/login?next=${encodeURIComponent(next)}`)),
    );

    const [first, ...others] = answers.map(({ headers }) => headers.get('location'));
    expect(first).toBe('/web/packages/new');
    expect(others).toEqual(Array.from({ length: 4 }, () => '/web/files'));
  });

  it('send who has to log in to do so, and back', async () => {
    const response = await ask('/web/packages/new');

    expect(response.status).toBe(303);
    expect(response.headers.get('location')).toBe('/web/login?next=%2Fweb%2Fpackages%2Fnew');
  });

  it('end the session on logging out', async () => {
    const [, token = ''] =
      /portal_session=([\w-]+)/.exec(
        (await logIn({ name: 'alice', password: PASSWORD })).headers.get('set-cookie') ?? '',
      ) ?? [];
    expect((await ask('/web/data/files', cookieOf(token))).status).toBe(200);

    const response = await ask('/web/logout', { ...cookieOf(token), origin: portal.url }, { method: 'POST' });

    expect(response.status).toBe(303);
    expect(response.headers.get('set-cookie')).toContain('Max-Age=0');
    expect((await ask('/web/data/files', cookieOf(token))).status).toBe(401);
  });

  it.each<[string, Record<string, string>]>([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a neighbour under the same domain', { 'sec-fetch-site': 'same-site', origin: 'http://127.0.0.1' }],
    ['a page without an origin', { origin: 'null' }],
    ['nobody knows where', {}],
  ])('take no change with a cookie from %s', async (_where, headers) => {
    const fileId = await portal.alice.upload(pdf());

    const answers = await Promise.all([
      ask(`/files/${fileId}`, { ...cookieOf(), ...headers }, { method: 'DELETE' }),
      ask('/packages', { ...cookieOf(), ...headers }, { method: 'POST', body: new URLSearchParams({ name: 'x' }) }),
      ask('/web/logout', { ...cookieOf(), ...headers }, { method: 'POST' }),
    ]);

    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403]);
    expect((await portal.alice.get(`/files/${fileId}`)).status).toBe(200);
    expect((await logIn({ name: 'alice', password: PASSWORD }, '/web/login', headers as never)).status).toBe(403);
  });

  it('take changes with a cookie from pages of the portal', async () => {
    const [first, second] = [await portal.alice.upload(pdf()), await portal.alice.upload(pdf())];
    const remove = (id: string, headers: Record<string, string>) =>
      ask(`/files/${id}`, { ...cookieOf(), ...headers }, { method: 'DELETE' });

    expect((await remove(first, { origin: portal.url })).status).toBe(204);
    expect((await remove(second, { 'sec-fetch-site': 'same-origin' })).status).toBe(204);
  });

  it('list the files of a user and of their records, each with its owner', async () => {
    const { alice, bob } = portal;
    const [free, used] = [await alice.upload(pdf(), 'free.pdf'), await alice.upload(png, 'used.png')];
    const { body: group } = await alice.post('/groups', { name: freshName('g'), title: 'Group', imageId: used });

    const { body } = await alice.get<{ files: { id: string }[] }>('/web/data/files');
    expect(body.files.slice(0, 2)).toMatchObject([
      {
        id: used,
        isOwn: false,
        pinned: true,
        owner: { type: 'group', title: 'Group', url: `/web/groups/${group.id}` },
      },
      { id: free, isOwn: true, pinned: false, owner: { type: 'user', title: 'Alice Liddell' } },
    ]);
    const { body: others } = await bob.get<{ files: { id: string }[] }>('/web/data/files');
    expect(others.files.map(({ id }) => id)).not.toContain(used);
  });

  it('do not tell the title of a private package in the history of a file', async () => {
    const { alice, bob } = portal;
    const fileId = await alice.upload(pdf());
    for (const visibility of ['private', 'public']) {
      const title = `A ${visibility} title`;
      const { body } = await alice.post('/packages', { name: freshName('p'), title, visibility, attachmentId: fileId });
      if (visibility === 'public') continue;
      // She takes it back, and gives it to the next one.
      await alice.patch(`/packages/${body.id}`, { attachmentId: null });
      await alice.delete(`/files/${fileId}/pin`);
      await alice.post(`/files/${fileId}/transfer`, { ownerType: 'user', ownerId: alice.id });
    }

    const seenBy = async (reader: typeof alice) => JSON.stringify((await reader.get(`/web/data/files/${fileId}`)).body);

    expect(await seenBy(alice)).toContain('A private title');
    expect(await seenBy(bob)).toContain('A public title');
    expect(await seenBy(bob)).not.toContain('A private title');
  });

  it('show a file only to who may see it', async () => {
    const fileId = await portal.alice.upload(pdf());

    expect((await portal.bob.get(`/web/data/files/${fileId}`)).status).toBe(404);
    expect((await portal.mary.get(`/web/data/files/${fileId}`)).status).toBe(200);
  });

  it.each(['/web/manage', '/web/data/manage/files', '/web/data/manage/sweep'])('keep %s to managers', async (path) => {
    expect((await ask(path, cookieOf())).status).toBe(403);
    expect((await ask(path, cookieOf(portal.mary.token))).status).toBe(200);
  });

  it('cannot make a manager', async () => {
    const { alice } = portal;

    expect((await alice.patch(`/users/${alice.id}`, { isManager: true })).status).toBe(400);
    expect(
      (await alice.post('/users', { name: freshName('u'), fullName: 'U', password: 'password', isManager: true }))
        .status,
    ).toBe(400);
  });

  it('find the files that a manager looks for, and explain who may have them', async () => {
    const { alice, bob, mary } = portal;
    const name = `${freshName('100%_sure')}.pdf`;
    const fileId = await alice.upload(pdf(), name);
    const find = async (query: Record<string, string>) =>
      (
        await mary.get<{ files: object[] }>(
          `/web/data/manage/files?${new URLSearchParams({ name: '100%_sure', ...query }).toString()}`,
        )
      ).body.files;

    expect(await find({ as: alice.id! })).toMatchObject([{ id: fileId, decision: { allowed: true, rule: 'owner' } }]);
    expect(await find({ as: bob.id!, ownerType: 'user', contentType: 'application/pdf', pinned: 'no' })).toMatchObject([
      { id: fileId, decision: { allowed: false, rule: 'none', reason: 'type-not-cascaded' } },
    ]);
    expect(await find({ as: mary.id!, operation: 'delete' })).toMatchObject([{ decision: { rule: 'manager' } }]);
    expect(await find({ name: '100%sure' })).toEqual([]);
    expect(await find({ ownerType: 'package' })).toEqual([]);
    expect(await find({ ownerType: 'none' })).toEqual([]);
    expect(await find({ contentType: 'image/' })).toEqual([]);
    expect(await find({ pinned: 'yes' })).toEqual([]);
  });
});
