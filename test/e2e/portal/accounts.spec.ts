import { Logger } from '@nestjs/common';
import { fsStorage } from 'nestjs-files/storage/fs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { addressFrom } from '../../../sample/portal/portal.options.js';
import { newDirectory } from '../../support/files-directory.js';
import type { PortalClient } from './portal-client.js';
import { freshName, pdf } from './samples.js';
import { PLATFORMS, startPortal } from './start-portal.js';
import type { Portal } from './start-portal.js';

const PASSWORD = 'once-upon-a-time';

describe.each(PLATFORMS)('the accounts of the portal on %s', (platform) => {
  let portal: Portal;

  beforeAll(async () => {
    portal = await startPortal(platform, { storage: fsStorage({ root: newDirectory() }) });
  });

  afterAll(() => portal.close());

  async function newUser(fullName = 'Carol'): Promise<{ name: string; client: PortalClient }> {
    const name = freshName('carol');
    await portal.alice.post('/users', { name, fullName, password: PASSWORD });
    return { name, client: await portal.visitor.logIn(name, PASSWORD) };
  }

  it('refuse to have their passwords guessed on and on, also the right one then', async () => {
    const { name } = await newUser();
    const guess = (password: string) => portal.visitor.post('/login', { name, password });
    const statuses = await Promise.all(Array.from({ length: 15 }, async () => (await guess('guess')).status));
    expect(statuses.toSorted((a, b) => a - b)).toEqual([...Array<number>(10).fill(401), ...Array<number>(5).fill(429)]);
    expect((await guess(PASSWORD)).status).toBe(429);
    const form = new URLSearchParams({ name, password: PASSWORD });
    const init = { method: 'POST', body: form, headers: { origin: portal.url } };
    const page = await fetch(`${portal.url}/web/login`, init);
    expect([page.status, await page.text()]).toEqual([429, expect.stringContaining('Too many attempts')]);
    expect((await portal.visitor.logIn('bob', 'a-christmas-carol')).token).toBeDefined();
  });

  it('forget wrong passwords after the right one', async () => {
    const { name } = await newUser();
    for (let round = 0; round < 3; round++) {
      for (let attempt = 0; attempt < 8; attempt++) await portal.visitor.post('/login', { name, password: 'guess' });
      expect((await portal.visitor.post('/login', { name, password: PASSWORD })).status).toBe(200);
    }
  });

  it('let files be read while very many log in', async () => {
    const { alice, visitor } = portal;
    const fileId = await alice.upload(pdf());
    const logIns = Array.from({ length: 80 }, async (_, index) => {
      const { status } = await visitor.post('/login', { name: `nobody-${index}`, password: 'guess' });
      return status;
    });
    await Promise.race(logIns);
    const last = Promise.all(logIns).then((statuses) => [...new Set(statuses)].toSorted((a, b) => a - b));
    // Were the log-ins not limited, they would come first: each of them was sent before.
    const first = await Promise.race([alice.download(fileId), last]);
    expect(first).toMatchObject({ status: 200 });
    expect(await last).toEqual([401, 429]);
  });

  it('change a password only with the old one, and end all sessions with it', async () => {
    const { name, client } = await newUser();
    const elsewhere = await portal.visitor.logIn(name, PASSWORD);
    const change = (body: object) => client.patch(`/users/${client.id}`, body);
    expect((await change({ password: 'another-password' })).status).toBe(400);
    expect((await change({ password: 'another-password', currentPassword: 'guess' })).status).toBe(403);
    expect((await elsewhere.get('/web/data/files')).status).toBe(200);
    expect((await change({ fullName: 'Caroline' })).status).toBe(200);
    expect((await change({ password: 'another-password', currentPassword: PASSWORD })).status).toBe(200);
    for (const one of [client, elsewhere]) expect((await one.get('/web/data/files')).status).toBe(401);
    expect((await portal.visitor.post('/login', { name, password: PASSWORD })).status).toBe(401);
    expect((await portal.visitor.logIn(name, 'another-password')).id).toBe(client.id);
  });

  it('let no password be guessed by a session that was left open', async () => {
    const { client } = await newUser();
    const guess = () => client.patch(`/users/${client.id}`, { password: 'another-password', currentPassword: 'guess' });
    for (let attempt = 0; attempt < 10; attempt++) expect((await guess()).status).toBe(403);
    expect((await guess()).status).toBe(429);
  });

  it('do not tell who manages', async () => {
    const { alice, mary, visitor } = portal;
    expect(JSON.stringify((await visitor.get('/users')).body)).not.toContain('isManager');
    expect((await alice.get(`/users/${mary.id}`)).body).not.toHaveProperty('isManager');
  });

  it('write no lines of the log with their names', async () => {
    const lines: unknown[] = [];
    const log = vi.spyOn(Logger.prototype, 'log').mockImplementation((message) => void lines.push(message));
    onTestFinished(() => log.mockRestore());
    const { client } = await newUser('Eve\n[Nest] ERROR all is lost\u2028');
    const { body } = await client.post('/packages', { name: freshName('p'), title: 'P', visibility: 'private' });
    expect((await client.post(`/packages/${body.id}/publish`)).status).toBeLessThan(300);
    expect(lines).toContainEqual(expect.stringContaining('Eve [Nest] ERROR all is lost'));
    expect(lines.filter((line) => /[\n\u2028]/.test(String(line)))).toEqual([]);
  });
});

it('listens on this machine alone, unless it is told otherwise', () => {
  expect(addressFrom({})).toEqual({ port: 3000, host: '127.0.0.1' });
  expect(addressFrom({ PORT: '8080', HOST: '0.0.0.0' })).toEqual({ port: 8080, host: '0.0.0.0' });
});
