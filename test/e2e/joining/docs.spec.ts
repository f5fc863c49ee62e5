import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type DataSource, Repository } from 'typeorm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TaskQueue, WithTaskQueue } from '../../../lib/index.js';
import { reachableDatabases, type TestDatabase } from '../../support/databases.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { type JoiningApp, joiningApp, LIBRARIES, Note } from '../../support/joining-app.js';

@Injectable()
class NotesService {
  constructor(
    private readonly queue: TaskQueue,
    @InjectRepository(Note) private readonly notes: Repository<Note>,
  ) {}

  @WithTaskQueue()
  async write(id: string): Promise<void> {
    this.queue.afterCommit(async () => effects.push(`saved: ${await this.notes.count()}`));
    await this.notes.insert({ id, fileId: null });
  }
}

const effects: string[] = [];

async function importAll(dataSource: DataSource, queue: TaskQueue, notes: NotesService): Promise<void> {
  const runner = dataSource.createQueryRunner();
  await runner.startTransaction();
  try {
    await queue.run(() => notes.write('a'), { manager: runner.manager });
    await runner.commitTransaction();
  } catch (error) {
    await runner.rollbackTransaction();
    throw error;
  } finally {
    await runner.release(); // what waits for the commit runs here
  }
}

let app: JoiningApp;
const [memory] = (await reachableDatabases('memory')) as [TestDatabase];

beforeAll(async () => void (app = await joiningApp(LIBRARIES[0], memory, { providers: [NotesService] })));
afterAll(() => app.close());

it('runs every example of docs/transactions.md', async () => {
  expect(await examplesNotRun('transactions.md', import.meta.url)).toEqual([]);
});

it('commits the unit’s work with the query runner’s transaction', async () => {
  const importing = (): Promise<void> => importAll(app.dataSource, app.queue, app.app.get(NotesService));
  await importing();
  expect(effects).toEqual(['saved: 1']);
  await expect(importing()).rejects.toThrow(/unique/i);
  expect(effects).toEqual(['saved: 1']);
});
