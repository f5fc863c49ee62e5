import { Logger } from '@nestjs/common';
import { FilesService, TaskQueue, UnawaitedWorkError } from 'nestjs-files';
import { expect, it, onTestFinished, vi } from 'vitest';
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
  await expect(unit).rejects.toBeInstanceOf(UnawaitedWorkError);

  await vi.waitFor(() => {
    const logged = expect.stringMatching(/^Work that was left running failed after its unit/) as string;
    expect(warned).toHaveBeenCalledWith(logged);
  });
  await app.close();
  expect(unhandled).toEqual([]);
});

it('fails the unit, also between two statements: a file that is made', async () => {
  const { app } = await startApp();
  const [files, queue] = [app.get(FilesService), app.get(TaskQueue)];
  let left: Promise<unknown> | undefined;
  const unit = queue.run(() => {
    left = files.create(Buffer.from('left'), { name: 'left.txt' }).catch((error: unknown) => error);
  });
  await expect(unit).rejects.toBeInstanceOf(UnawaitedWorkError);
  await left;
});
