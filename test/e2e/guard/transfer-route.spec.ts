import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Ticket } from '../../support/guarded-entities.js';
import { PLATFORMS } from '../../support/http-app.js';

const databases = await reachableDatabases();
const both = databases.flatMap((database) =>
  PLATFORMS.map((platform) => ({ name: database.name, database, platform })),
);

describe.each(both)('POST /files/:id/transfer on $name, $platform', ({ database, platform }) => {
  let app: GuardedApp;
  beforeAll(async () => void (app = await guardedApp({ database, platform })));
  afterAll(() => app.close());

  it('gives no file to a record that names its files', async () => {
    const { id: ownerId } = await app.dataSource.getRepository(Ticket).save({});
    const file = await app.upload('admin');
    const to = { ownerType: 'ticket', ownerId: String(ownerId), force: true };
    expect(await app.send('POST', `/files/${file}/transfer`, to, 'admin')).toMatchObject({
      status: 422,
      body: { code: 'FILES_OWNER_NAMES_FILES' },
    });
    expect(await app.ownerOf(file)).toBe('user admin');
    expect(await app.historyOf(file)).toEqual(['create']);
  });

  it('leaves a file with the record that it belongs to, and gives files to people', async () => {
    const { id: ownerId } = await app.dataSource.getRepository(Ticket).save({});
    const kept = await app.fileOf('ticket', ownerId);
    const to = { ownerType: 'ticket', ownerId: String(ownerId) };
    expect((await app.send('POST', `/files/${kept}/transfer`, to, 'admin')).status).toBe(200);
    const given = await app.upload('ada');
    const toBen = { ownerType: 'user', ownerId: 'ben' };
    expect((await app.send('POST', `/files/${given}/transfer`, toBen, 'admin')).status).toBe(200);
    expect(await app.ownerOf(given)).toBe('user ben');
  });
});
