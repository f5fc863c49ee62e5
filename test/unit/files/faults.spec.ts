import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { faultyStorage, memoryStorage } from 'nestjs-files/testing';
import type { FaultMoment } from 'nestjs-files/testing';
import { FileIntent } from '../../../lib/files/intents/file-intent.entity.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { reachableDatabases } from '../../support/databases.js';
import type { OpenDatabase } from '../../support/databases.js';
import { expectAgreement } from '../../support/files-agreement.js';
import { assembleFiles, HARNESS_ENTITIES, Note, type AssembledFiles } from '../../support/files-harness.js';
import { BATCH_MOVE, moveBatch, OPERATIONS, prepare, told } from '../../support/files-operations.js';

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('rows and bytes on $name', ({ open }) => {
  let database: OpenDatabase;
  beforeAll(async () => void (database = await open({ entities: HARNESS_ENTITIES })));
  afterAll(() => database.close());

  async function start(operation: string) {
    const { dataSource } = database;
    for (const entity of [ManagedFile, FileIntent, Note]) await dataSource.getRepository(entity).clear();
    const storages = { default: faultyStorage(memoryStorage()), other: faultyStorage(memoryStorage()) };
    const world = await assembleFiles(dataSource, storages);
    return { world, storages, id: await prepare(world, operation) };
  }

  /** How many calls each storage gets, and what is told in the end. */
  async function rehearse(operation: string) {
    const { world, storages, id } = await start(operation);
    const before = { default: storages.default.calls.length, other: storages.other.calls.length };
    await OPERATIONS[operation]!(world, id);
    const calls = {
      default: storages.default.calls.length - before.default,
      other: storages.other.calls.length - before.other,
    };
    const after = await told(world);
    if (operation !== 'a registration') await expectAgreement(world);
    await world.close();
    return { calls, after };
  }

  it.each(Object.keys(OPERATIONS))('agree whichever call of %s fails, before or after its work', async (operation) => {
    const { calls, after } = await rehearse(operation);
    expect(calls.default + calls.other).toBeGreaterThan(0);
    for (const name of ['default', 'other'] as const) {
      for (let call = 1; call <= calls[name]; call++) {
        for (const moment of ['before', 'after'] satisfies FaultMoment[]) {
          for (const how of ['failAt', 'failFrom'] as const) {
            const { world, storages, id } = await start(operation);
            const before = await told(world);
            storages[name][how](call, moment);
            const outcome = await OPERATIONS[operation]!(world, id).then(
              () => 'done',
              () => 'failed',
            );
            storages[name].heal();
            const point = `${name} ${how} ${call} ${moment}: ${outcome}`;
            expect(await told(world), point).toEqual(outcome === 'done' ? after : before);
            // Nobody but its owner may remove bytes that were never a file's.
            if (operation === 'a registration') await world.registry.get('default').remove('dropped/in');
            if (operation === 'a registration' && outcome === 'done') await world.files.delete(await newest(world));
            await expectAgreement(world);
            await world.close();
          }
        }
      }
    }
  });

  it('agree whichever call of a move of several files fails, and the next run moves the rest', async () => {
    const { world: whole, storages } = await start(BATCH_MOVE);
    const before = { default: storages.default.calls.length, other: storages.other.calls.length };
    await moveBatch(whole);
    await whole.removals.idle();
    const calls = {
      default: storages.default.calls.length - before.default,
      other: storages.other.calls.length - before.other,
    };
    await whole.close();
    expect(calls.default + calls.other).toBeGreaterThanOrEqual(9);
    const moved = (await told(whole)).map((line) => line.replace(' default ', ' other '));
    for (const name of ['default', 'other'] as const) {
      for (let call = 1; call <= calls[name]; call++) {
        for (const moment of ['before', 'after'] satisfies FaultMoment[]) {
          for (const how of ['failAt', 'failFrom'] as const) {
            const { world, storages: faulty } = await start(BATCH_MOVE);
            faulty[name][how](call, moment);
            const outcomes = await run(world);
            faulty[name].heal();
            const point = `${name} ${how} ${call} ${moment}`;
            const places = (await told(world)).map((line) => line.split(' ')[1]);
            expect(
              places.filter((place) => place === 'other'),
              point,
            ).toHaveLength(outcomes.moved);
            expect(outcomes.moved + outcomes.failed, point).toBe(3);
            await expectAgreement(world);
            expect(await run(world), point).toEqual({ moved: outcomes.failed, failed: 0 });
            expect(await told(world), point).toEqual(moved);
            await expectAgreement(world);
            await world.close();
          }
        }
      }
    }
  });
});

async function run({ mover }: Pick<AssembledFiles, 'mover'>): Promise<{ moved: number; failed: number }> {
  const outcomes = { moved: 0, failed: 0 };
  for await (const { kind } of mover.run({ from: 'default', to: 'other' })) outcomes[kind]++;
  return outcomes;
}

async function newest({ dataSource }: { dataSource: OpenDatabase['dataSource'] }): Promise<string> {
  return (await dataSource.getRepository(ManagedFile).findOneByOrFail({ name: 'in' })).id;
}
