import { TypeOrmModule } from '@nestjs/typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { OwnershipTransferTask } from '../../../lib/ownership/ownership-transfer.task.js';
import { FilesService } from '../../../lib/files/files.service.js';
import { reachableDatabases } from '../../support/databases.js';
import { startApp, uploadFile, formWith } from '../../support/http-app.js';
import { Clause, Contract, Loan, OWNERS, Reading, Room, Shelf } from '../../support/owner-entities.js';
import { ownershipApp } from '../../support/ownership-app.js';
import type { OwnershipApp } from '../../support/ownership-app.js';
import { fileById, historyOf, insertFile } from '../../support/ownership-databases.js';

const UUID = '0199aaaa-0000-7000-8000-00000000abcd';

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('missing owners on $name', (database) => {
  let app: OwnershipApp;

  const save = <T extends object>(entity: new () => T, values: object = {}): Promise<T> =>
    app.dataSource.manager.save(Object.assign(new entity(), values));

  beforeAll(async () => {
    app = await ownershipApp({ entities: OWNERS, database });
    await save(Room);
    await save(Loan, { id: UUID });
    await save(Contract, { id: 'c-1' });
    await save(Reading, { id: '1.50' });
  });
  afterAll(() => app?.close());

  it.each([
    ['room', '4711'],
    ['room', 'abc'],
    ['room', '1abc'],
    ['room', '01'],
    ['room', '99999999999'],
    ['clause', '99999999999999999999'],
    ['loan', 'abc'],
    ['loan', '0199ffff-0000-7000-8000-00000000abcd'],
    ['loan', UUID.toUpperCase()],
    ['contract', 'C-1'],
    ['contract', 'x'.repeat(191)],
    ['reading', 'abc'],
    ['reading', '2.50'],
  ])('moves no file to %s %s, and the unit of work goes on', async (ownerType, ownerId) => {
    const file = await insertFile(app.dataSource, { ownerType: 'user', ownerId: 'ada' });
    await app.queue.run(async () => {
      await expect(app.ownership.transfer([file], { ownerType, ownerId })).rejects.toMatchObject({
        code: 'FILES_OWNER_NOT_FOUND',
        ownerType,
        ownerId,
      });
      await app.ownership.pin(file);
    });
    expect(await fileById(app.dataSource, file)).toMatchObject({ ownerType: 'user', ownerId: 'ada', pinned: true });
    expect((await historyOf(app.dataSource, file)).map(({ action }) => action)).toEqual(['pin']);
  });

  it('moves files to owners that are there, whatever their id is like', async () => {
    const clause = await save(Clause, {
      number: database.kind === 'memory' ? '9000000000' : '9007199254740993',
      contract: null,
    });
    const owners: [string, string | number][] = [
      ['room', (await save(Room)).id],
      ['loan', (await save(Loan)).id],
      ['contract', (await save(Contract, { id: 'é x' })).id],
      ['clause', clause.number],
      ['stranger', 'whoever'],
    ];
    if (database.kind !== 'memory') owners.push(['reading', '1.50']);
    const file = await insertFile(app.dataSource);
    for (const [ownerType, ownerId] of owners) {
      await app.ownership.transfer([file], { ownerType, ownerId: String(ownerId) });
      expect(await fileById(app.dataSource, file)).toMatchObject({ ownerType, ownerId: String(ownerId) });
    }
  });

  it('looks for an owner of every declared type, with one statement', async () => {
    const file = await insertFile(app.dataSource);
    app.statements.length = 0;
    const give = (id: string) =>
      app.queue.run(() => app.queue.add(new OwnershipTransferTask(file, 'room', id, 'value')));
    await expect(give('4711')).rejects.toMatchObject({ code: 'FILES_OWNER_NOT_FOUND', ownerId: '4711' });
    expect(app.statements.filter((sql) => sql.includes('room'))).toHaveLength(1);
    const { id } = await save(Room);
    await give(String(id));
    expect(await fileById(app.dataSource, file)).toMatchObject({ ownerType: 'room', ownerId: String(id) });
  });

  it('saves no record that was removed meanwhile, while its file is attached', async () => {
    const files = [await insertFile(app.dataSource), await insertFile(app.dataSource)];
    const attach = (contracts: string[]) =>
      app.queue.run(() => {
        for (const [at, id] of contracts.entries()) {
          app.queue.add(new OwnershipTransferTask(files[at]!, 'contract', id, 'value'));
        }
      });
    await save(Contract, { id: 'c-2' });
    app.statements.length = 0;
    await expect(attach(['c-1', 'c-gone'])).rejects.toMatchObject({ code: 'FILES_OWNER_NOT_FOUND', ownerId: 'c-gone' });
    // One statement for all of them.
    expect(app.statements.filter((sql) => sql.includes('contract'))).toHaveLength(1);
    for (const file of files) expect(await historyOf(app.dataSource, file)).toEqual([]);
    await app.dataSource.getRepository(ManagedFile).update(files, { ownerType: 'user', ownerId: 'ada' });
    await attach(['c-1', 'c-2']);
    expect(await fileById(app.dataSource, files[1]!)).toMatchObject({ ownerType: 'contract', ownerId: 'c-2' });
  });

  it('moves no file to an owner that is softly removed', async () => {
    const shelf = await save(Shelf);
    await app.dataSource.manager.softRemove(shelf);
    const to = { ownerType: 'shelf', ownerId: String(shelf.id) };
    await expect(app.ownership.transfer([await insertFile(app.dataSource)], to)).rejects.toThrow(
      `There is no shelf "${shelf.id}"`,
    );
  });
});

it('says so over HTTP', async () => {
  const app = await startApp({ imports: [TypeOrmModule.forFeature(OWNERS)] });
  const { id } = await uploadFile(app, 'admin', formWith('x'));
  const transfer = (ownerId: string) =>
    app.fetch(`/files/${id}/transfer`, {
      method: 'POST',
      user: 'admin',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ownerType: 'contract', ownerId }),
    });
  const refused = await transfer('c9');
  expect([refused.status, await refused.json()]).toMatchObject([422, { code: 'FILES_OWNER_NOT_FOUND' }]);
  const contracts = app.dataSource.getRepository(Contract);
  const contract = await contracts.save({ id: 'c9' });
  expect((await transfer('c9')).ok).toBe(true);
  await expect(contracts.remove(contract)).rejects.toMatchObject({ code: 'FILES_OWNER_HAS_FILES' });
  expect(await app.app.get(FilesService).findOrFail(id)).toMatchObject({ ownerType: 'contract', ownerId: 'c9' });
});
