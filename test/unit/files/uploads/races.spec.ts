import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { FileUpload } from '../../../../lib/files/uploads/file-upload.entity.js';
import type { ManagedFile } from '../../../../lib/files/managed-file.entity.js';
import type { StorageLimits } from '../../../../lib/storage/storage-limits.js';
import { reachableDatabases } from '../../../support/databases.js';
import type { TestDatabase } from '../../../support/databases.js';
import { directStorage } from '../../../support/direct-storage.js';
import { expectAgreement } from '../../../support/files-agreement.js';
import { assembleFiles, HARNESS_ENTITIES } from '../../../support/files-harness.js';
import type { AssembledFiles } from '../../../support/files-harness.js';

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

const ada = { type: 'user', id: 'ada' };
const DAY = 86_400_000;
const TIMES = 15;

/** Two machines with one database and one storage. */
async function machines(kind: TestDatabase, limits: StorageLimits = {}) {
  const database = await kind.open({ entities: HARNESS_ENTITIES });
  const direct = directStorage(limits);
  const one = await assembleFiles(database.dataSource, { default: direct.anew() });
  const other = await assembleFiles(await database.connect(), { default: direct.anew() });
  onTestFinished(async () => {
    for (const { close } of [one, other]) await close();
    await database.close();
  });
  const sent = async (): Promise<string> => {
    const { id } = await one.uploads.begin({ name: 'a', size: 4, actor: ada });
    for (const { url } of await one.uploads.signParts(id, [1])) expect(direct.send(url, '1234')).toBe(200);
    return id;
  };
  return { one, other, direct, sent };
}

type Machines = Awaited<ReturnType<typeof machines>>;

/** Both at about the same time, a little later each time, so that they meet at different steps. */
async function race<A, B>(round: number, first: () => Promise<A>, second: () => Promise<B>) {
  return Promise.allSettled([first(), delay(round % 8).then(second)]);
}

async function expectNothingLeft({ one, direct }: Machines): Promise<void> {
  await expectAgreement(one as Omit<AssembledFiles, 'close'>);
  expect([direct.open, await one.dataSource.getRepository(FileUpload).count()]).toEqual([0, 0]);
  const notes = await one.notes();
  const count = (what: string) => notes.filter((note) => note.startsWith(what)).length;
  expect(count('reserved')).toBe(TIMES);
  expect(count('reserved')).toBe(count('released') + count('created'));
}

const told = (outcome: PromiseSettledResult<unknown>): unknown =>
  outcome.status === 'fulfilled' ? 'done' : (outcome.reason as { code?: string }).code;

for (const kind of await reachableDatabases('file', 'postgres', 'mariadb')) {
  describe(`a direct upload on two machines with ${kind.name}`, () => {
    it('becomes one file, which both get, when both complete it', async () => {
      const world = await machines(kind);
      const { one, other, sent } = world;
      for (let round = 0; round < TIMES; round++) {
        const id = await sent();
        const outcomes = await race(
          round,
          () => one.uploads.complete(id),
          () => other.uploads.complete(id),
        );
        expect(outcomes.map(told)).toEqual(['done', 'done']);
        const [first, second] = outcomes as PromiseFulfilledResult<ManagedFile>[];
        expect(second?.value).toMatchObject({ id, hash: first?.value.hash, createdAt: first?.value.createdAt });
      }
      expect(await one.rows()).toBe(TIMES);
      await expectNothingLeft(world);
    });

    it('becomes a file, or is gone, when one completes it and the other gives it up', async () => {
      const world = await machines(kind);
      const { one, other, sent } = world;
      let files = 0;
      for (let round = 0; round < TIMES; round++) {
        const id = await sent();
        const [completed, aborted] = await race(
          round,
          () => one.uploads.complete(id),
          () => other.uploads.abort(id),
        );
        expect([
          ['done', 'FILES_UPLOAD_NOT_FOUND'],
          ['FILES_UPLOAD_NOT_FOUND', 'done'],
        ]).toContainEqual([told(completed), told(aborted)]);
        if (completed.status === 'fulfilled') files++;
      }
      expect(await one.rows()).toBe(files);
      await expectNothingLeft(world);
    });

    it('is begun once when two begin at once at one location', async () => {
      const world = await machines(kind, { location: ({ name }) => name });
      const { one, other, direct } = world;
      for (let round = 0; round < TIMES; round++) {
        const begin = { name: `a${round}`, size: 4, actor: ada };
        const outcomes = await race(
          round,
          () => one.uploads.begin(begin),
          () => other.uploads.begin(begin),
        );
        expect(new Set(outcomes.map(told))).toEqual(new Set(['done', 'FILES_LOCATION_TAKEN']));
        const [id = ''] = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value.id : []));
        for (const { url } of await one.uploads.signParts(id, [1])) expect(direct.send(url, '1234')).toBe(200);
        expect(await other.uploads.complete(id)).toMatchObject({ id, location: `a${round}` });
      }
      await expectNothingLeft(world);
    });

    it('becomes a file, or is gone, when one completes it and the other sweeps it as expired', async () => {
      const world = await machines(kind);
      const { one, other, sent } = world;
      let files = 0;
      for (let round = 0; round < TIMES; round++) {
        const id = await sent();
        // This machine's clock is late.
        other.clock.now = one.clock.now + DAY;
        const [completed, swept] = await race(
          TIMES - round,
          () => one.uploads.complete(id),
          () => other.sweeper.sweep(),
        );
        expect(['done', 'FILES_UPLOAD_NOT_FOUND']).toContain(told(completed));
        expect(swept).toMatchObject({ status: 'fulfilled', value: { failed: 0 } });
        if (completed.status === 'fulfilled') files++;
      }
      expect(await one.rows()).toBe(files);
      await expectNothingLeft(world);
    });
  });
}
