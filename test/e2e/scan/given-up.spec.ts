import { Injectable } from '@nestjs/common';
import { FilesService, ManagedFile } from 'nestjs-files';
import { OnFileScanned } from 'nestjs-files/hooks';
import type { ScannedContext } from 'nestjs-files/hooks';
import { FilesJobs, outboxJobs } from 'nestjs-files/jobs';
import { FilesScans } from 'nestjs-files/scan';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { JobHost } from '../../../lib/jobs/job-engine.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { startApp } from '../../support/http-app.js';
import { ScriptedScanner } from '../../support/scripted-scanner.js';

@Injectable()
class Warnings {
  readonly told: unknown[] = [];
  isBroken = false;

  @OnFileScanned()
  warn({ name }: ManagedFile, { state, finding }: ScannedContext): void {
    if (this.isBroken) throw new Error('no mail');
    this.told.push([name, state, finding]);
  }
}

/** An application that works no job off before it is told to, and a file whose scan waits. */
async function world() {
  const engine = outboxJobs({ poll: 20 });
  const start = engine.start.bind(engine);
  let host: JobHost | undefined;
  engine.start = (given) => {
    host = given;
    return start({ ...given, handlers: new Map() });
  };
  const scanner = new ScriptedScanner();
  const { app, dataSource } = await startApp({
    providers: [Warnings],
    options: {
      storages: { default: memoryStorage({ scan: scanner }) },
      scanning: { attempts: 2, backoff: 1 },
      jobs: { engine },
    },
  });
  const files = app.get(FilesService);
  const { id } = await files.create(Buffer.from('x'), { name: 'a.txt', owner: { type: 'user', id: 'anna' } });
  return {
    id,
    files,
    scanner,
    dataSource,
    warnings: app.get(Warnings),
    jobs: app.get(FilesJobs),
    scans: app.get(FilesScans),
    begin: async () => {
      const running = await start(host!);
      onTestFinished(() => running.stop());
    },
    becomes: (expected: object) =>
      vi.waitFor(async () => expect(await files.findOrFail(id)).toMatchObject(expected), { timeout: 20_000 }),
    /** As processes leave it that died in both attempts. */
    die: () =>
      dataSource.query("UPDATE files_job SET attempts = 2, lease_owner = 'a0000000-0000-7000-8000-000000000000'"),
  };
}

const DIED = 'Its process died during the last attempt.';

it('makes a file failed whose process died in the last attempt of its scan, and tells the hooks', async () => {
  const { id, begin, becomes, die, jobs, scanner, scans, warnings } = await world();
  await die();
  await begin();
  await becomes({ scan: 'failed', finding: DIED });
  await expect.poll(() => jobs.failed()).toMatchObject([{ payload: { fileId: id }, error: DIED }]);
  expect(warnings.told).toEqual([['a.txt', 'failed', DIED]]);
  expect(scanner.scans).toBe(0);

  expect(await scans.rescan()).toBe(1);
  await becomes({ scan: 'clean', finding: null });
});

it('makes a file failed whose hooks throw in each attempt, and logs that they were not told', async () => {
  const { begin, becomes, jobs, warnings } = await world();
  warnings.isBroken = true;
  await begin();
  await becomes({ scan: 'failed', finding: 'Error: no mail' });
  await expect.poll(() => jobs.failed()).toMatchObject([{ attempts: 2, error: 'Error: no mail' }]);
  expect(warnings.told).toEqual([]);
});

it.each([
  ['has a verdict already', "UPDATE files_file SET scan = 'clean'", 'clean'],
  ['has other content', "UPDATE files_file SET location = 'elsewhere'", 'pending'],
])('leaves a file as it is that %s', async (_what, sql, scan) => {
  const { begin, becomes, dataSource, die, jobs, warnings } = await world();
  await die();
  await dataSource.query(sql);
  await begin();
  await expect.poll(() => jobs.failed()).toHaveLength(1);
  await becomes({ scan });
  expect(warnings.told).toEqual([]);
});
