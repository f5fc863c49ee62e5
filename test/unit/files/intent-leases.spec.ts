import { describe, expect, it, onTestFinished } from 'vitest';
import { FileIntent } from '../../../lib/files/intents/file-intent.entity.js';
import { leaseIntents } from '../../../lib/files/intents/intent-leases.js';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { reachableDatabases } from '../../support/databases.js';
import type { TestDatabase } from '../../support/databases.js';

async function start({ open }: TestDatabase, workers: number, count: number) {
  const database = await open({ entities: [FileIntent] });
  const now = Date.now();
  const sources = [database.dataSource];
  while (sources.length < workers) sources.push(await database.connect());
  const transactors = sources.map((source) => new Transactor(source));
  onTestFinished(async () => {
    for (const transactor of transactors) transactor.close();
    await database.close();
  });
  const rows = Array.from({ length: count }, (_, at) =>
    Object.assign(new FileIntent(), {
      id: uuidV7(),
      storage: 'default',
      location: `bytes/${at}`,
      locationKey: String(at),
      kind: 'delete',
      createdAt: new Date(now + at),
      leaseOwner: null,
      leaseUntil: null,
    }),
  );
  await database.dataSource.getRepository(FileIntent).insert(rows);
  const claim = { now: new Date(now), abandonedBefore: new Date(0), leaseUntil: new Date(now + 60_000), limit: 7 };
  return { dataSource: database.dataSource, transactors, claim, ids: rows.map(({ id }) => id) };
}

describe.each(await reachableDatabases('file', 'postgres', 'mariadb'))('a claim of intents on $name', (database) => {
  const forms = database.kind === 'mariadb' ? ['SKIP LOCKED', 'any database'] : ['its own'];

  it.each(forms)('gives each intent to one of several sweepers at once, in the words of %s', async (form) => {
    const { transactors, claim, ids, dataSource } = await start(database, 4, 100);
    if (form === 'any database')
      for (const one of transactors) Object.assign(one.dataSource.driver, { version: '10.5.0' });
    const claimed: string[] = [];
    const sweep = async (transactor: Transactor) => {
      for (;;) {
        const intents = await leaseIntents(transactor, claim);
        if (intents.length === 0) return;
        expect(new Set(intents.map(({ leaseOwner }) => leaseOwner)).size).toBe(1);
        claimed.push(...intents.map(({ id }) => id));
      }
    };
    await Promise.all(transactors.map(sweep));
    expect(claimed).toHaveLength(100);
    expect(new Set(claimed)).toEqual(new Set(ids));
    expect(await dataSource.getRepository(FileIntent).countBy({ leaseUntil: claim.leaseUntil })).toBe(100);
  });

  it.runIf(database.kind !== 'file')('does not wait for intents that somebody else has locked', async () => {
    const { transactors, claim, ids } = await start(database, 2, 10);
    const [holder, other] = transactors as [Transactor, Transactor];
    await holder.run(async ({ manager }) => {
      await manager.query(`SELECT id FROM files_intent WHERE id = '${ids[0]}' FOR UPDATE`);
      const claimed = await leaseIntents(other, claim);
      expect(claimed.map(({ id }) => id)).toEqual(ids.slice(1, 8));
    });
  });
});
