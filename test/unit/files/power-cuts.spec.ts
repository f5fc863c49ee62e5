import { constants } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fsStorage } from 'nestjs-files/storage/fs';
import { expectAgreement } from '../../support/files-agreement.js';
import { newDirectory } from '../../support/files-directory.js';
import { assembleFiles, HARNESS_ENTITIES } from '../../support/files-harness.js';
import { BATCH_MOVE, moveBatch, OPERATIONS as SINGLE, prepare, told } from '../../support/files-operations.js';
import { Power, powerDatabase, powerStorage } from '../../support/power.js';

// Each process would make the tables again.
const template = join(newDirectory(), 'files.sqlite');

beforeAll(async () => {
  Logger.overrideLogger(false);
  const made = new DataSource({ type: 'better-sqlite3', database: template, entities: HARNESS_ENTITIES });
  await (await made.initialize()).synchronize();
  await made.destroy();
});
afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

// So many of the steps of an operation, at least.
const STEPS = 12;
const OPERATIONS: typeof SINGLE = { ...SINGLE, [BATCH_MOVE]: moveBatch };

/** A process on a directory, with a database in a file and storages on disk. */
async function boot(directory: string, power: Power) {
  const database = join(directory, 'files.sqlite');
  await copyFile(template, database, constants.COPYFILE_EXCL).catch(unlessThere);
  const dataSource = await new DataSource({
    type: 'better-sqlite3',
    database,
    entities: HARNESS_ENTITIES,
    prepareDatabase: (connection: { pragma(source: string): unknown }) => void connection.pragma('synchronous = OFF'),
  }).initialize();
  const disk = (name: string) => powerStorage(fsStorage({ root: join(directory, name), fsync: false }), power);
  const world = await assembleFiles(dataSource, { default: disk('default'), other: disk('other') });
  const unplug = powerDatabase(dataSource, power);
  const halt = async () => {
    await world.close();
    // Closing the file is what the system does for a dead process: an open transaction is rolled back.
    await dataSource.destroy();
    unplug();
  };
  return { ...world, halt };
}

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/** Runs the operation until the power is cut, or to its end. */
async function run(operation: string, steps: number) {
  const directory = newDirectory();
  const power = new Power();
  const process = await boot(directory, power);
  const id = await prepare(process, operation);
  const before = await told(process);
  power.cutAfter(steps);
  const outcome = await OPERATIONS[operation]!(process, id).then(
    () => 'done' as const,
    () => 'failed' as const,
  );
  const { used } = power;
  await process.halt();
  return { directory, before, outcome, used };
}

/** Long operations are cut at some of their steps; CI and FILES_TEST_EVERY_POINT have every step. */
function strideOf(steps: number): number {
  return process.env['CI'] || process.env['FILES_TEST_EVERY_POINT'] ? 1 : Math.max(1, Math.floor(steps / STEPS));
}

describe('a power cut', () => {
  it.each(Object.keys(OPERATIONS))('leaves rows and bytes that agree, wherever it was in %s', async (operation) => {
    const whole = await run(operation, Number.POSITIVE_INFINITY);
    const restarted = await boot(whole.directory, new Power());
    const after = await told(restarted);
    await restarted.halt();
    expect(whole.outcome).toBe('done');
    expect(after).not.toEqual(whole.before);
    for (let steps = 0; steps < whole.used; steps += strideOf(whole.used)) {
      const { directory, before, outcome } = await run(operation, steps);
      const next = await boot(directory, new Power());
      const now = await told(next);
      const point = `cut after ${steps} of ${whole.used}: ${outcome}`;
      expect([before, after], point).toContainEqual(now);
      if (outcome === 'done') expect(now, point).toEqual(after);
      if (operation === 'a registration') await next.registry.get('default').remove('dropped/in');
      const registered = (await next.files.search({ filters: { name: 'in' } })).results[0];
      if (registered) await next.files.delete(registered.id);
      await expectAgreement(next);
      await next.halt();
    }
  });
});
