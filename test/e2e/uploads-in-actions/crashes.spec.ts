import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { FileIntent } from '../../../lib/files/intents/file-intent.entity.js';
import { FilesSweeper } from '../../../lib/files/intents/files-sweeper.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { actionApp, actionForm, Gallery, textFile } from '../../support/action-app.js';
import type { TestDatabase } from '../../support/databases.js';
import { filesBelow, newDirectory } from '../../support/files-directory.js';
import { Power, powerDatabase, powerStorage } from '../../support/power.js';

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

/** A process on a directory: its database is in a file, its storage on disk. */
async function boot(directory: string, power: Power) {
  const options = {
    type: 'better-sqlite3' as const,
    database: join(directory, 'db.sqlite'),
    prepareDatabase: (connection: { pragma(source: string): unknown }) => void connection.pragma('synchronous = OFF'),
  };
  const database = {
    create: () => Promise.resolve({ options, drop: () => Promise.resolve() }),
  } as unknown as TestDatabase;
  const root = join(directory, 'bytes');
  const storage = powerStorage(fsStorage({ root, fsync: false }), power);
  const app = await actionApp({ database, options: { storages: { default: storage }, sweeper: false } });
  const unplug = powerDatabase(app.dataSource, power);
  onTestFinished(unplug);
  return { ...app, root, halt: () => app.app.close().finally(unplug) };
}

const form = () =>
  actionForm([
    ['title', 'Sea'],
    ['coverId', textFile('cover')],
    ['images', textFile('a')],
  ]);

it('leaves a record with its files or neither, wherever the power was cut', async () => {
  const outcomes = new Set<string>();
  for (let steps = 0, isDone = false; !isDone; steps++) {
    const directory = newDirectory();
    const power = new Power();
    const app = await boot(directory, power);
    power.cutAfter(steps);
    const { status } = await app.send('/galleries', form());
    isDone = status === 201;
    await app.halt();

    const next = await boot(directory, new Power());
    // As if days had passed.
    await next.dataSource
      .createQueryBuilder()
      .update(FileIntent)
      .set({ createdAt: new Date(0) })
      .execute();
    await next.app.get(FilesSweeper).sweep();
    const galleries = await next.dataSource.getRepository(Gallery).find();
    const files = await next.dataSource.getRepository(ManagedFile).find();
    const named = galleries.flatMap(({ coverId, images }) => [coverId ?? 'none', ...(images ?? [])]).toSorted();
    const point = `cut after ${steps} steps: ${status}`;
    expect(files.map(({ id }) => id).toSorted(), point).toEqual(named);
    expect((await filesBelow(next.root)).toSorted(), point).toEqual(files.map(({ location }) => location).toSorted());
    expect(await next.dataSource.getRepository(FileIntent).count(), point).toBe(0);
    outcomes.add(`${status} ${named.length}`);
    await next.halt();
  }
  expect([...outcomes].toSorted()).toEqual(['201 2', '500 0']);
});
