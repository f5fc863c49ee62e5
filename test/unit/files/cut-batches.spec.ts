import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryStorage } from 'nestjs-files/testing';
import { FileIntent } from '../../../lib/files/intents/file-intent.entity.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { connectionsAtRest } from '../../support/connections-at-rest.js';
import { reachableDatabases } from '../../support/databases.js';
import { expectAgreement } from '../../support/files-agreement.js';
import { assembleFiles, HARNESS_ENTITIES, Note } from '../../support/files-harness.js';
import { proxied } from '../../support/proxied-database.js';
import type { ProxiedDatabase } from '../../support/proxied-database.js';

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

const FILES = 3;

describe.each(await reachableDatabases('postgres', 'mariadb'))('a batch of moves on $name', (kind) => {
  let database: ProxiedDatabase;
  beforeAll(async () => void (database = await proxied(kind).open({ entities: HARNESS_ENTITIES })));
  afterAll(() => database.close());

  async function start() {
    const { dataSource } = database;
    for (const entity of [ManagedFile, FileIntent, Note]) await dataSource.getRepository(entity).clear();
    const world = await assembleFiles(dataSource, { default: memoryStorage(), other: memoryStorage() });
    for (let at = 0; at < FILES; at++) await world.files.create(Buffer.from(`content ${at}`), { name: `${at}` });
    await world.removals.idle();
    return world;
  }

  type World = Awaited<ReturnType<typeof start>>;

  async function move({ mover }: World): Promise<Record<'moved' | 'failed', number>> {
    const outcomes = { moved: 0, failed: 0 };
    for await (const { kind: became } of mover.run({ from: 'default', to: 'other' })) outcomes[became]++;
    return outcomes;
  }

  async function moved({ dataSource }: World): Promise<number> {
    return dataSource.getRepository(ManagedFile).countBy({ storage: 'other' });
  }

  it.each(['before', 'sent', 'reply'] as const)(
    'loses nothing, wherever the connection breaks %s a statement',
    async (cut) => {
      const { proxy } = database;
      const whole = await start();
      proxy.arm();
      expect(await move(whole)).toEqual({ moved: FILES, failed: 0 });
      await whole.removals.idle();
      const points = [...proxy.statements];
      proxy.disarm();
      await whole.close();
      expect(points.length).toBeGreaterThan(6);
      for (let at = 1; at <= points.length; at++) {
        const world = await start();
        proxy.arm({ at, cut });
        const outcome = await move(world).catch(() => undefined);
        await world.removals.idle();
        const { fired } = proxy;
        proxy.disarm();
        // The statement of the cut connection may still run.
        await connectionsAtRest(kind.kind, database);
        const point = `${cut} ${at}: ${points[at - 1]?.slice(0, 80)}: ${JSON.stringify(outcome)}`;
        expect(fired, point).toBe(true);
        if (outcome) expect(await moved(world), point).toBeGreaterThanOrEqual(outcome.moved);
        expect((await move(world)).failed, point).toBe(0);
        expect(await moved(world), point).toBe(FILES);
        await expectAgreement(world);
        await world.close();
      }
    },
  );
});
