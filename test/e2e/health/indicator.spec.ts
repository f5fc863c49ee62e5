import { TerminusModule } from '@nestjs/terminus';
import PgBoss from 'pg-boss';
import { FileJob } from 'nestjs-files';
import type { FilesModuleOptions } from 'nestjs-files';
import { FileIntent } from 'nestjs-files/entities';
import { FilesHealthIndicator } from 'nestjs-files/health';
import type { FilesHealthOptions } from 'nestjs-files/health';
import type { JobEngine } from 'nestjs-files/jobs';
import { bullmqJobs } from 'nestjs-files/jobs/bullmq';
import { pgBossJobs } from 'nestjs-files/jobs/pg-boss';
import { memoryStorage } from 'nestjs-files/storage/memory';
import type { DataSourceOptions } from 'typeorm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listens, reachableDatabases } from '../../support/databases.js';
import { startApp } from '../../support/http-app.js';
import { loginOf, pgBossEnded } from '../../support/job-engines.js';
import { ScriptedScanner } from '../../support/scripted-scanner.js';
import { storageWith } from '../../support/storage-with.js';
import { freePort } from '../../../scripts/free-ports.mjs';

class Notices {
  @FileJob('notice')
  run(): void {}
}

async function start(options: Partial<FilesModuleOptions> = {}, database?: DataSourceOptions) {
  const app = await startApp({
    options: { storages: { default: memoryStorage() }, ...options },
    imports: [TerminusModule.forRoot({ logger: false })],
    providers: [FilesHealthIndicator, Notices],
    ...(database && { database }),
  });
  const indicator = app.app.get(FilesHealthIndicator);
  return { ...app, check: (asked: FilesHealthOptions = {}) => indicator.check(asked) };
}

/** A storage that answers when it is told to. */
function slowStorage() {
  const waiting: (() => void)[] = [];
  const storage = storageWith({
    stat: () => new Promise<undefined>((resolve) => waiting.push(() => resolve(undefined))),
  });
  return { storage, waiting };
}

describe('a check', () => {
  it('asks the database two questions, and each storage one', async () => {
    let asked = 0;
    const storage = storageWith({ stat: () => Promise.resolve(void asked++) });
    const { check, dataSource } = await start({ storages: { default: storage, other: memoryStorage() } });
    const statements: string[] = [];
    const logger = { ...dataSource.logger, logQuery: (sql: string) => void statements.push(sql) };
    dataSource.setOptions({ logger: logger as never });
    Object.assign(dataSource, { logger });

    const result = await check();

    expect(Object.keys(result).sort()).toEqual(['intents', 'jobs', 'storage:default', 'storage:other']);
    expect(asked).toBe(1);
    expect(statements.filter((sql) => sql.startsWith('SELECT'))).toHaveLength(2);
  });

  it('asks once for checks at the same time', async () => {
    const { storage, waiting } = slowStorage();
    const { check } = await start({ storages: { default: storage } });
    const checks = [check({ parts: ['storages'] }), check({ parts: ['storages'] })];
    await expect.poll(() => waiting.length).toBe(1);
    waiting[0]!();
    const up = { 'storage:default': { status: 'up' } };
    expect(await Promise.all(checks)).toEqual([up, up]);
  });

  it('does not wait for a part longer than it may, and asks again the next time', async () => {
    const { storage, waiting } = slowStorage();
    const { check } = await start({ storages: { default: storage } });
    expect(await check({ timeout: 500 })).toMatchObject({
      'storage:default': { status: 'down', message: 'It did not answer within 500 ms.' },
      jobs: { status: 'up' },
    });
    const next = check({ parts: ['storages'] });
    await expect.poll(() => waiting.length).toBe(2);
    waiting[1]!();
    expect(await next).toEqual({ 'storage:default': { status: 'up' } });
  });

  it('asks a part that hangs twice, and again once one of the requests has ended', async () => {
    const hanging: (() => void)[] = [];
    let [asked, hangs] = [0, true];
    const stat = (): Promise<undefined> => {
      asked++;
      return hangs ? new Promise((resolve) => hanging.push(() => resolve(undefined))) : Promise.resolve(undefined);
    };
    const { check } = await start({ storages: { default: storageWith({ stat }) } });
    const messages: unknown[] = [];
    for (let round = 0; round < 4; round++) {
      const { 'storage:default': entry } = await check({ parts: ['storages'], timeout: 50 });
      messages.push(entry?.['message']);
    }
    const late = 'It did not answer within 50 ms.';
    const full = 'It has not answered the last 2 requests, which still wait.';
    expect(messages).toEqual([late, late, full, full]);
    expect(asked).toBe(2);
    hangs = false;
    hanging[0]!();
    const up = { 'storage:default': { status: 'up' } };
    await expect.poll(() => check({ parts: ['storages'] })).toEqual(up);
    expect(asked).toBe(3);
  });

  it('says of a part that cannot be asked that it counts as up', async () => {
    const { check } = await start({ storages: { default: memoryStorage({ scan: new ScriptedScanner() }) } });
    expect(await check({ parts: ['scanners'] })).toEqual({
      'scanner:default': { status: 'up', message: 'It has no way to be asked, and counts as up.' },
    });
  });

  it('says which addresses have refused, where an error has no message of its own', async () => {
    const refused = new AggregateError(
      [new Error('connect ECONNREFUSED ::1:1'), new Error('ECONNREFUSED 127.0.0.1')],
      '',
    );
    const { check } = await start({ storages: { default: storageWith({ stat: () => Promise.reject(refused) }) } });
    expect(await check({ parts: ['storages'] })).toMatchObject({
      'storage:default': { message: expect.stringContaining('ECONNREFUSED ::1:1; ECONNREFUSED 127.0.0.1') as string },
    });
  });

  it('is down when the oldest intent is older than the sweeper would leave it', async () => {
    const { check, dataSource } = await start({ sweeper: { grace: 60_000, interval: 10_000 } });
    const intents = dataSource.getRepository(FileIntent);
    const intent = (id: string, age: number) =>
      intents.insert({
        id,
        storage: 'default',
        location: id,
        locationKey: id,
        kind: 'delete',
        createdAt: new Date(Date.now() - age),
        leaseOwner: null,
        leaseUntil: null,
      });
    await intent('01890000-0000-7000-8000-000000000001', 79_000);
    expect(await check({ parts: ['intents'] })).toMatchObject({ intents: { status: 'up' } });
    expect(await check({ parts: ['intents'], maxIntentAge: 1_000 })).toMatchObject({ intents: { status: 'down' } });
    await intent('01890000-0000-7000-8000-000000000002', 81_000);
    expect(await check({ parts: ['intents'] })).toMatchObject({
      intents: {
        status: 'down',
        message: expect.stringMatching(/^The oldest intent has waited for 8\d{4} ms, and at most 80000 ms/) as string,
        oldestIntent: expect.any(String) as string,
      },
    });
  });

  it.each([
    [{ timeout: 0 }, 'timeout'],
    [{ maxIntentAge: -1 }, 'maxIntentAge'],
    [{ parts: ['bytes'] }, 'there is no part "bytes"'],
  ])('refuses %j', async (options, named) => {
    const { check } = await start();
    await expect(check(options as FilesHealthOptions)).rejects.toThrow(named);
  });
});

const servers = await reachableDatabases('postgres');

describe('engines of jobs', () => {
  const askJobs = async (engine: JobEngine, database?: DataSourceOptions) => {
    const { check } = await start({ jobs: { engine }, shutdownTimeout: 0 }, database);
    return (timeout = 3_000) => check({ parts: ['jobs'], timeout });
  };
  const redis = new URL(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379');

  it('are down where the Redis of BullMQ does not listen', async () => {
    const check = await askJobs(bullmqJobs({ connection: { host: '127.0.0.1', port: await freePort() } }));
    expect(await check(100)).toMatchObject({
      jobs: { status: 'down', remedy: expect.stringContaining('Redis') as string },
    });
  });

  it('are up where it does', async ({ skip }) => {
    if (!(await listens(redis))) return skip(`Redis does not answer on ${redis.host}`);
    const { hostname: host, port, password } = redis;
    const connection = { host, port: Number(port || '6379'), ...(password && { password }) };
    const check = await askJobs(bullmqJobs({ connection }));
    expect(await check()).toEqual({ jobs: { status: 'up' } });
  });

  it.each(servers)('are up with a pg-boss that runs on $name, and down without', async (kind) => {
    const { options, drop } = await kind.create();
    onTestFinished(drop);
    const login = loginOf({ dataSource: { options } as never });
    const boss = new PgBoss({ ...login, max: 2 });
    await boss.start();
    const check = await askJobs(pgBossJobs(boss), options);
    expect(await check()).toEqual({ jobs: { status: 'up' } });
    await boss.stop({ graceful: false, wait: true });
    await pgBossEnded(login);
    expect(await check()).toMatchObject({ jobs: { status: 'down' } });
  });
});
