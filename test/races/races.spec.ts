import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { reachableDatabases } from '../support/databases.js';
import { RaceProcesses } from './race-process.js';
import { RaceWorld, storm } from './race-world.js';
import type { Answer } from './race-world.js';

// `npm run test:races` runs them a thousand times.
const ROUNDS = Number(process.env['RACES_ROUNDS'] ?? 12);
const AT_ONCE = 8;

let directory: string;
let processes: RaceProcesses;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nestjs-files-races-'));
  processes = await RaceProcesses.start(directory);
}, 60_000);

afterAll(async () => {
  await processes?.stop();
  await rm(directory, { recursive: true });
});

describe.each(await reachableDatabases('file', 'postgres', 'mariadb'))('two processes on $name', (database) => {
  const isSqlite = database.kind === 'file';
  let world: RaceWorld;
  let seen: Map<string, number>;

  beforeAll(async () => {
    world = await RaceWorld.open(database, processes, directory);
  }, 60_000);

  afterAll(() => world?.close());

  afterEach(() => world.expectAgreement());

  const attach = (fileIds: string[], meeting?: string) =>
    world.send('POST', '/pages', { json: { fileIds }, ...(meeting === undefined ? {} : { meeting }) });

  /** Counts what was answered, by status and code. */
  function tally(answers: Answer[][]): Map<string, number> {
    seen = new Map();
    for (const round of answers) {
      const key = round.map(({ status }) => status).join(' ');
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    return seen;
  }

  const refused = (answer: Answer) => [400, 403, 404, 409].includes(answer.status);

  it('attach a file to two records: one wins every time, and the other is told', async () => {
    const answers = await storm(ROUNDS, AT_ONCE, async (round) => {
      const file = await world.file();
      // Where both may be open at once, both pass the early check: then the lock decides.
      const meeting = isSqlite ? undefined : `duel ${round}`;
      const both = await Promise.all([attach([file], meeting), attach([file], meeting)]);
      return both.toSorted((one, other) => one.status - other.status);
    });
    // On SQLite the loser begins when the winner has ended, and its early check refuses it.
    expect(Object.fromEntries(tally(answers))).toEqual({ [isSqlite ? '201 400' : '201 409']: ROUNDS });
  });

  it('attach two files in one order and in the other: no deadlock', async () => {
    const crowd = 6;
    await storm(Math.ceil(ROUNDS / 4), 2, async () => {
      const [a, b] = [await world.file(), await world.file()];
      const answers = await Promise.all(
        Array.from({ length: crowd }, (_, at) => attach(at % 2 === 0 ? [a, b] : [b, a])),
      );
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
      expect(answers.filter((answer) => refused(answer))).toHaveLength(crowd - 1);
    });
  });

  it('attach a file and delete it', async () => {
    const answers = await storm(ROUNDS, AT_ONCE, async () => {
      const file = await world.upload('content');
      const [attached, deleted] = await Promise.all([attach([file]), world.send('DELETE', `/files/${file}`)]);
      expect((await world.find(file)) === null).toBe(deleted.status === 204);
      expect(attached.status === 201).not.toBe(deleted.status === 204);
      expect(refused(attached) || refused(deleted)).toBe(true);
      return [attached, deleted];
    });
    expect([...tally(answers).values()].reduce((sum, count) => sum + count)).toBe(ROUNDS);
  });

  it('attach a file and replace its content', async () => {
    await storm(ROUNDS, AT_ONCE, async () => {
      const file = await world.upload('before');
      const [attached, replaced] = await Promise.all([
        attach([file]),
        world.send('PUT', `/files/${file}/content`, { bytes: 'after!!' }),
      ]);
      expect(attached.status).toBe(201);
      expect(replaced.status === 200 || refused(replaced)).toBe(true);
      const content = await world.send('GET', `/files/${file}/content`, { user: 'admin' }).catch(String);
      expect(await world.find(file)).toMatchObject({ size: replaced.status === 200 ? 7 : 6, pinned: true });
      expect(content).toBeDefined();
    });
  });

  it('attach a file and pin it', async () => {
    await storm(ROUNDS, AT_ONCE, async () => {
      const file = await world.file();
      const [attached, pinned] = await Promise.all([attach([file]), world.send('PUT', `/files/${file}/pin`)]);
      const { ownerType } = (await world.find(file))!;
      expect(attached.status === 201 || refused(attached)).toBe(true);
      expect(pinned.status === 200 || refused(pinned)).toBe(true);
      expect(ownerType).toBe(attached.status === 201 ? 'page' : 'user');
      // Refused for one reason only: that the pin was first.
      if (attached.status !== 201) expect(pinned.status).toBe(200);
    });
  });

  it('attach a file to a record and remove the record', async () => {
    await storm(ROUNDS, AT_ONCE, async () => {
      const [file, folder] = [await world.file(), await world.folder()];
      const [attached, removed] = await Promise.all([
        world.send('PATCH', `/folders/${folder}`, { json: { fileId: file } }),
        world.send('DELETE', `/folders/${folder}`),
      ]);
      expect(removed.status).toBe(204);
      expect(attached.status === 200 || refused(attached) || attached.status === 422).toBe(true);
      const { ownerType, ownerId } = (await world.find(file))!;
      if (attached.status !== 200) return expect([ownerType, ownerId]).toEqual(['user', 'anna']);
      // Saved after the removal, TypeORM inserts the record anew, on PostgreSQL with another id.
      const saved = String(attached.body['id']);
      return expect([ownerType, ownerId]).toEqual((await world.hasFolder(saved)) ? ['folder', saved] : [null, null]);
    });
  });

  it('name a file of the record and delete the file', async () => {
    await storm(ROUNDS, AT_ONCE, async () => {
      const folder = await world.folder();
      const file = await world.file({ ownerType: 'folder', ownerId: folder });
      const [named, deleted] = await Promise.all([
        world.send('PATCH', `/folders/${folder}`, { json: { fileId: file }, user: 'admin' }),
        world.send('DELETE', `/files/${file}?force=true`, { user: 'admin' }),
      ]);
      expect([named.status === 200, named.status === 200 || refused(named)]).toEqual([deleted.status !== 204, true]);
      expect(deleted.status === 204 || refused(deleted)).toBe(true);
      expect((await world.find(file)) === null).toBe(deleted.status === 204);
    });
  });

  it('move files among owners with quotas, to and fro, without deadlock and with the right counts', async () => {
    const folders = [await world.folder(), await world.folder(), await world.folder()];
    await storm(Math.ceil(ROUNDS / 2), AT_ONCE, async (round) => {
      const order = round % 2 === 0 ? folders : folders.toReversed();
      const moves: { fileId: string; folderId: number }[] = [];
      for (const [at, ownerId] of order.entries()) {
        const fileId = await world.file({ ownerType: 'folder', ownerId });
        moves.push({ fileId, folderId: Number(order[(at + 1) % order.length]) });
      }
      const { status } = await world.send('POST', '/folders/moves', { user: 'admin', json: { moves } });
      expect(status).toBe(201);
    });
  });

  it('run SERIALIZABLE and again until they succeed', async () => {
    const rounds = Math.ceil(ROUNDS / 3);
    const answers = await storm(rounds, 4, async () => {
      const file = await world.file();
      return world.send('POST', '/pages/serializable', { json: { fileIds: [file] } });
    });
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: rounds }, () => 201));
    // Each of them saw what the others had done before it.
    expect(new Set(answers.map(({ body }) => body['before'])).size).toBe(rounds);
  });
});
