import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Logger } from '@nestjs/common';
import { FilesService, ManagedFile, TaskQueue } from 'nestjs-files';
import { WorkUnawaitedError, UnitEndedError } from 'nestjs-files/errors';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { FileIntent } from '../../../lib/files/intents/file-intent.entity.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { reachableDatabases } from '../../support/databases.js';
import { filesBelow, newDirectory } from '../../support/files-directory.js';
import { startApp } from '../../support/http-app.js';

type Leave = (files: FilesService, id: string) => Promise<unknown>;

const LEFT: [title: string, leave: Leave][] = [
  ['a transfer', (files, id) => files.transferOwnership(id, { ownerType: 'package', ownerId: '7', force: true })],
  ['a pin', (files, id) => files.pin(id)],
  ['a deletion', (files, id) => files.delete(id, { force: true })],
  ['a history', (files, id) => files.history(id)],
];

it.each(LEFT)('fails the unit and is logged, but ends no process: %s', async (_, leave) => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): unknown => unhandled.push(error);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  const { app } = await startApp();
  const [files, queue] = [app.get(FilesService), app.get(TaskQueue)];
  const { id } = await files.create(Buffer.from('kept'), { name: 'kept.txt' });
  const warned = vi.spyOn(Logger.prototype, 'warn').mockReset();
  onTestFinished(() => {
    warned.mockRestore();
  });

  const unit = queue.run(() => {
    for (let i = 0; i < 3; i++) void leave(files, id);
  });
  await expect(unit).rejects.toBeInstanceOf(WorkUnawaitedError);

  const logged = expect.stringMatching(/^Work that was left running failed after its unit/) as string;
  await expect.poll(() => warned.mock.calls).toContainEqual([logged]);
  await app.close();
  expect(unhandled).toEqual([]);
});

type Write = (files: FilesService, id: string) => Promise<unknown>;

const WRITES: [title: string, write: Write][] = [
  ['create', (files) => files.create(Buffer.from('left'), { name: 'left.txt' })],
  ['createAll', (files) => files.createAll(Readable.from([{ content: Buffer.from('left'), name: 'left.txt' }]))],
  ['register', (files) => files.register('there.txt')],
  ['replace', (files, id) => files.replace(id, Buffer.from('left'))],
  ['copy', (files, id) => files.copy(id)],
  ['move', (files, id) => files.move(id, 'other')],
];

describe.each(await reachableDatabases('memory', 'file', 'postgres', 'mariadb'))('on $name', (database) => {
  async function start() {
    const [root, other] = [newDirectory(), newDirectory()];
    const own = await database.create();
    onTestFinished(own.drop);
    const storages = { default: fsStorage({ root }), other: fsStorage({ root: other }) };
    const { app, dataSource } = await startApp({ database: own.options, options: { storages } });
    const files = app.get(FilesService);
    const { id } = await files.create(Buffer.from('kept'), { name: 'kept.txt' });
    await writeFile(join(root, 'there.txt'), 'there');
    const state = async () => [
      await dataSource.getRepository(ManagedFile).find(),
      await dataSource.getRepository(FileIntent).count(),
      await filesBelow(root),
      await filesBelow(other),
    ];
    return { queue: app.get(TaskQueue), dataSource, files, id, state };
  }

  it.each(WRITES)('undoes a file operation that was not awaited with its unit: %s', async (_, write) => {
    const { queue, files, id, state } = await start();
    const before = await state();
    let left: Promise<unknown> | undefined;
    const unit = queue.run(() => {
      left = write(files, id).catch((error: unknown) => error);
    });
    await expect(unit).rejects.toBeInstanceOf(WorkUnawaitedError);
    expect(await left).toBeInstanceOf(UnitEndedError);
    expect(await state()).toEqual(before);
  });

  it.each(WRITES)('undoes a file operation that was not awaited with the transaction: %s', async (_, write) => {
    const { dataSource, files, id, state } = await start();
    const before = await state();
    let left: Promise<unknown> | undefined;
    const transaction = dataSource.transaction(async () => {
      left = write(files, id).catch((error: unknown) => error);
      throw new Error('undone');
    });
    await expect(transaction).rejects.toThrow();
    expect(await left).toBeInstanceOf(Error);
    expect(await state()).toEqual(before);
  });
});
