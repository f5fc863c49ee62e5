import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { bullmqJobs } from 'nestjs-files/jobs/bullmq';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../../scripts/free-ports.mjs';
import { FILES_ENTITIES } from '../../../lib/entry/entities.js';
import { compileModule } from '../../support/compiled-module.js';
import { listens, reachableDatabases } from '../../support/databases.js';
import { newDirectory } from '../../support/files-directory.js';
import { emptyRedis, REDIS } from '../../support/job-engines.js';
import { jobsApp, JobNote } from '../../support/jobs-app.js';
import type { AwayTask } from './redis-away.child.js';

const HOST = '127.0.0.1';
const [kind] = await reachableDatabases('file');
const isThere = await listens(REDIS.url);

let script = '';
beforeAll(async () => {
  script = await compileModule(fileURLToPath(new URL('redis-away.child.ts', import.meta.url)), newDirectory());
});

/** A process with an engine, which waits to be told to close its application. */
async function startProcess(connection: AwayTask['connection'], runsJob: boolean) {
  const prefix = `files-test-${randomUUID()}`;
  const { dataSource, close } = await kind!.open({ entities: [...FILES_ENTITIES, JobNote] });
  onTestFinished(close);
  if (runsJob) onTestFinished(() => emptyRedis(prefix));
  const database = { ...dataSource.options, synchronize: false, entities: [] } as never;
  const task: AwayTask = { database, connection, prefix, runsJob };
  const child = spawn(process.execPath, [script, JSON.stringify(task)], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  expect(await once(child, 'message')).toEqual(['ready', undefined]);
  return child;
}

/** A way to the Redis of the tests, which can go, or pause: then nothing passes until it goes on. */
async function wayToRedis() {
  const ways: [Socket, Socket][] = [];
  const server = createServer((client) => {
    const way: [Socket, Socket] = [client, connect(REDIS.connection)];
    ways.push(way);
    for (const socket of way) socket.on('error', () => client.destroy());
    way[0].pipe(way[1]).pipe(way[0]);
  });
  await once(server.listen(0, HOST), 'listening');
  const end = (): void => {
    server.close();
    for (const socket of ways.flat()) socket.destroy();
  };
  onTestFinished(end);
  return {
    port: (server.address() as AddressInfo).port,
    goes: end,
    pauses: () => ways.flat().forEach((socket) => socket.unpipe().pause()),
    goesOn: () => ways.forEach(([client, upstream]) => client.pipe(upstream).pipe(client)),
  };
}

it('lets a process end whose Redis has never been there', async () => {
  const child = await startProcess({ host: HOST, port: await freePort() }, false);
  child.send('close');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

it.runIf(isThere).each(['goes', 'pauses'] as const)('lets a process end whose Redis %s', async (what) => {
  const way = await wayToRedis();
  const child = await startProcess({ host: HOST, port: way.port }, true);
  way[what]();
  child.send('close');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

it.runIf(isThere)('leaves a client of the application connected whose Redis pauses', async () => {
  const way = await wayToRedis();
  const client = new Redis({ host: HOST, port: way.port, maxRetriesPerRequest: null });
  onTestFinished(() => client.disconnect());
  const prefix = `files-test-${randomUUID()}`;
  onTestFinished(() => emptyRedis(prefix));
  const { dataSource, close } = await kind!.open({ entities: [...FILES_ENTITIES, JobNote] });
  onTestFinished(close);
  const app = await jobsApp({
    database: { ...dataSource.options, synchronize: false, entities: [] } as never,
    jobs: { engine: bullmqJobs({ connection: client, prefix, poll: 20 }) },
  });
  await app.queue.run(() => app.queue.enqueue('note', 'x'));
  await app.script.begun(1);
  way.pauses();
  await app.close();
  way.goesOn();
  expect(await client.ping()).toBe('PONG');
});
