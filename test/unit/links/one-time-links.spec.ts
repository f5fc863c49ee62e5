import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { FileLink } from '../../../lib/links/file-link.entity.js';
import { OneTimeLinks } from '../../../lib/links/one-time-links.js';
import { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { reachableDatabases } from '../../support/databases.js';
import type { OpenDatabase } from '../../support/databases.js';

const MINUTE = 60_000;
const later = (milliseconds: number) => new Date(Date.now() + milliseconds);

/** Two machines, each with a clock that tests can turn. */
function machine(dataSource: DataSource) {
  const transactor = new Transactor(dataSource);
  onTestFinished(() => transactor.close());
  const clock = { now: Date.now() };
  return { transactor, clock, links: new OneTimeLinks(transactor, () => clock.now) };
}

for (const kind of await reachableDatabases()) {
  describe(`one-time links on ${kind.name}`, () => {
    let database: OpenDatabase;
    let elsewhere: DataSource;
    const rows = () => database.dataSource.getRepository(FileLink);

    beforeAll(async () => {
      database = await kind.open({ entities: [FileLink] });
      elsewhere = kind.kind === 'memory' ? database.dataSource : await database.connect();
    });

    afterAll(() => database.close());

    it('can be used once, also on several machines at the same time', async () => {
      const here = machine(database.dataSource).links;
      const there = elsewhere === database.dataSource ? here : machine(elsewhere).links;
      for (let round = 0; round < 5; round++) {
        const id = await here.add(randomUUID(), later(MINUTE));
        expect(await there.has(id)).toBe(true);
        const taken = await Promise.allSettled(
          Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? here : there).take(id)),
        );
        expect(taken.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        for (const one of taken) {
          if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'FILES_LINK_USED' });
        }
        expect(await there.has(id)).toBe(false);
      }
    });

    it('can be used again when they are given back', async () => {
      const { links } = machine(database.dataSource);
      const [fileId, expiresAt] = [randomUUID(), later(MINUTE)];
      const id = await links.add(fileId, expiresAt);
      const before = await rows().findOneByOrFail({ id });
      await links.take(id);
      await links.giveBack({ id, fileId, expiresAt });
      expect(await rows().findOneByOrFail({ id })).toEqual(before);
    });

    it('come and go with the unit of work that makes or takes them', async () => {
      const { links, transactor } = machine(database.dataSource);
      const kept = await links.add(randomUUID(), later(MINUTE));
      let made = '';
      const failing = transactor.run(async () => {
        made = await links.add(randomUUID(), later(MINUTE));
        await links.take(kept);
        throw new Error('undo');
      });
      await expect(failing).rejects.toThrow('undo');
      expect([await links.has(made), await links.has(kept)]).toEqual([false, true]);
    });

    it('are removed once they have expired, once a minute, when a new one is made', async () => {
      const { links, transactor, clock } = machine(database.dataSource);
      const first = await links.add(randomUUID(), later(MINUTE / 2));
      clock.now += MINUTE - 1000;
      const second = await links.add(randomUUID(), later(2 * MINUTE));
      expect(await links.has(first)).toBe(true);
      clock.now += 2000;
      await transactor.run(() => links.add(randomUUID(), later(3 * MINUTE)));
      expect([await links.has(first), await links.has(second)]).toEqual([false, true]);
      clock.now += 10 * MINUTE;
      expect(await links.removeExpired()).toBeGreaterThan(1);
      expect(await rows().count()).toBe(0);
    });
  });
}
