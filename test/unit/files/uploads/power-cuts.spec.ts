import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileUpload } from '../../../../lib/files/uploads/file-upload.entity.js';
import { directStorage } from '../../../support/direct-storage.js';
import type { DirectStorage } from '../../../support/direct-storage.js';
import { expectAgreement } from '../../../support/files-agreement.js';
import { newDirectory } from '../../../support/files-directory.js';
import { assembleFiles, HARNESS_ENTITIES } from '../../../support/files-harness.js';
import type { AssembledFiles } from '../../../support/files-harness.js';
import { Power, powerDatabase, powerStorage } from '../../../support/power.js';

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

const ada = { type: 'user', id: 'ada' };
const content = '0123456789';
const DAY = 86_400_000;

type World = Omit<AssembledFiles, 'close'>;

/** A process with a database in a file, on a storage that outlives it. */
async function boot(directory: string, direct: DirectStorage, power = new Power(), isDatabaseCut = true) {
  const dataSource = await new DataSource({
    type: 'better-sqlite3',
    database: join(directory, 'files.sqlite'),
    entities: HARNESS_ENTITIES,
    synchronize: true,
    prepareDatabase: (connection: { pragma(source: string): unknown }) => void connection.pragma('synchronous = OFF'),
  }).initialize();
  const unplug = powerDatabase(dataSource, isDatabaseCut ? power : new Power());
  const world = await assembleFiles(dataSource, { default: powerStorage(direct.anew(), power) });
  const halt = async () => {
    await world.close();
    // Closing the file is what the system does for a dead process: an open transaction is rolled back.
    await dataSource.destroy();
    unplug();
  };
  return { ...world, halt };
}

const begin = async ({ uploads }: World) => (await uploads.begin({ name: 'a', size: content.length, actor: ada })).id;

/** Begins an upload of three parts, and sends them. */
async function send(world: World, direct: DirectStorage): Promise<string> {
  const id = await begin(world);
  for (const { url, number, size } of await world.uploads.signParts(id, [1, 2, 3]))
    expect(direct.send(url, content.slice((number - 1) * 4).slice(0, size))).toBe(200);
  return id;
}

/** What is disturbed; before it, the upload is there with all of its parts. */
const OPERATIONS: Record<string, (world: World, id: string) => Promise<unknown>> = {
  'the begin of another one': (world) => begin(world),
  'its completion': ({ uploads }, id) => uploads.complete(id),
  'its completion that is refused': async ({ uploads, dataSource }, id) => {
    await dataSource.getRepository(FileUpload).update({ id }, { checksum: `md5:${'0'.repeat(32)}` });
    await expect(uploads.complete(id)).rejects.toMatchObject({ code: 'FILES_UPLOAD_MISMATCHED' });
  },
  'its end': ({ uploads }, id) => uploads.abort(id),
  'the sweep when it has expired': async ({ sweeper, clock }) => {
    clock.now += DAY;
    expect(await sweeper.sweep()).toMatchObject({ failed: 0 });
  },
  'the sweep when it has been a file for long': async ({ sweeper, uploads, clock }, id) => {
    await uploads.complete(id);
    clock.now += 2 * DAY;
    expect(await sweeper.sweep()).toMatchObject({ failed: 0 });
  },
};

/** Runs the operation until the power is cut, or to its end. */
async function run(operation: string, steps: number) {
  const directory = newDirectory();
  const direct = directStorage({ partSize: 4 });
  const power = new Power();
  // A sweep goes on with the next one, where a connection is left that could not even roll back.
  const process = await boot(directory, direct, power, !operation.startsWith('the sweep'));
  const id = await send(process, direct);
  power.cutAfter(steps);
  const outcome = await OPERATIONS[operation]!(process, id).then(
    () => 'done' as const,
    () => 'failed' as const,
  );
  const { used } = power;
  await process.halt();
  return { directory, direct, id, outcome, used };
}

describe('a direct upload, after a power cut', () => {
  it.each(Object.keys(OPERATIONS))('leaves nothing that is not swept, wherever it was in %s', async (operation) => {
    const whole = await run(operation, Number.POSITIVE_INFINITY);
    expect(whole.outcome).toBe('done');
    expect(whole.used).toBeGreaterThan(5);
    for (let steps = 0; steps < whole.used; steps++) {
      const { directory, direct, id, outcome } = await run(operation, steps);
      const next = await boot(directory, direct);
      const point = `cut after ${steps} of ${whole.used}: ${outcome}`;
      // Whoever has no answer asks again.
      if (operation === 'its completion') {
        const file = await next.uploads.complete(id);
        expect(await next.uploads.complete(id), point).toEqual(file);
      }
      await expectAgreement(next);
      expect([direct.open, await next.dataSource.getRepository(FileUpload).count()], point).toEqual([0, 0]);
      const notes = await next.notes();
      const count = (what: string) => notes.filter((note) => note.startsWith(what)).length;
      expect(count('reserved'), point).toBe(count('released') + count('created'));
      await next.halt();
    }
  });
});
