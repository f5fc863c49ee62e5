// What does the task queue add to a loop over the tasks? A million of them, in a unit of work.

import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { FilesModule, NO_PREVIOUS_TASK, Task, TaskQueue } from '../lib/index.js';
import type { TaskLike } from '../lib/index.js';
import { memoryStorage } from '../lib/storage/adapters/memory.storage.js';
import { contest, printStandings } from './support/contest.js';

const TASKS = 1_000_000;

class Step extends Task {
  run(_result: unknown, idx: number): number {
    return idx;
  }
}

const step = (_result: unknown, idx: number): number => idx;
const later = (_result: unknown, idx: number): Promise<number> => Promise.resolve(idx);

const MIXTURES: Record<string, (n: number) => TaskLike> = {
  functions: () => step,
  'half of them Task objects': (n) => (n % 2 === 0 ? step : new Step()),
  'one in a hundred a promise': (n) => (n % 100 === 0 ? later : step),
};

async function plainLoop(tasks: readonly TaskLike[]): Promise<unknown> {
  const waiting: TaskLike[] = [];
  for (const task of tasks) waiting.push(task);
  let prev: unknown = NO_PREVIOUS_TASK;
  for (let idx = 0; idx < waiting.length; idx++) {
    const task = waiting[idx]!;
    const value: unknown =
      typeof task === 'function' ? task(undefined as never, idx, prev) : task.run(undefined, idx, prev);
    prev = value instanceof Promise ? await value : value;
  }
  return prev;
}

export async function queue(): Promise<void> {
  @Module({
    imports: [
      TypeOrmModule.forRoot({
        type: 'better-sqlite3',
        database: ':memory:',
        autoLoadEntities: true,
        synchronize: true,
      }),
      FilesModule.forRoot({ storages: { default: memoryStorage() }, sweeper: false }),
    ],
  })
  class AppModule {}

  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
  const taskQueue = app.get(TaskQueue);
  for (const [name, mixture] of Object.entries(MIXTURES)) {
    const tasks = Array.from({ length: TASKS }, (_, n) => mixture(n));
    const inUnit = () =>
      taskQueue.run(() => {
        for (const task of tasks) taskQueue.add(task);
      });
    // Past TaskQueue, which finds out for each task whose queue is meant.
    const known = () =>
      taskQueue.runQueued((queue) => {
        for (const task of tasks) queue.add(task);
        return queue.drain(undefined);
      });
    const standings = await contest(
      [
        { name: 'a plain loop', round: () => perSecond(() => plainLoop(tasks)) },
        { name: 'nestjs-files', round: () => perSecond(inUnit) },
        { name: "nestjs-files, the call's queue at hand", round: () => perSecond(known) },
      ],
      9,
    );
    printStandings(`A million tasks, ${name}`, 'tasks/s', standings);
  }
  await app.close();
}

async function perSecond(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (TASKS * 1000) / (performance.now() - start);
}
