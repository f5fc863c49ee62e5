// How fast are bytes in a bucket, and how much memory do they take? Against the SDK by hand, on one server. The
// environment variables FILES_BENCH_MIB and FILES_BENCH_OBJECTS make less of it.

import { execFileSync, fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { clientOptions } from './object-storage/store.js';
import type { Place } from './object-storage/store.js';
import type { Outcome, Task } from './object-storage/serve.js';
import { contest, printStandings } from './support/contest.js';
import { withFilesDatabase } from './support/databases.js';

const MEBIBYTES = Number(process.env['FILES_BENCH_MIB'] ?? 1024);
const OBJECTS = Number(process.env['FILES_BENCH_OBJECTS'] ?? 100_000);
const UPLOADS = 500;
const RANGES = 500;
const CONTESTANTS = ['by hand', 'nestjs-files'];

interface Server {
  readonly name: string;
  ask(task: Task): Promise<Outcome>;
  stop(): Promise<void>;
}

export async function objectStorage(): Promise<void> {
  const endpoint = process.env['S3_ENDPOINT'];
  if (endpoint === undefined) {
    // It starts Ceph's gateway, or says what is missing.
    const command = ['scripts/object-storage/with-s3.mjs', process.execPath, process.argv[1] ?? '', 'object-storage'];
    // Room for what was removed, and is not freed yet.
    const env = { ...process.env, CEPH_BYTES: `${8 * 2 ** 30}` };
    execFileSync(process.execPath, command, { stdio: 'inherit', env });
    return;
  }
  await withPlace(endpoint, async (start) => {
    await uploadOne(start);
    await withBoth(start, requests);
  });
  await withPlace(endpoint, async (start) => {
    for (const name of CONTESTANTS) await lists(() => start(name), name);
  });
}

type Start = (name: string) => Promise<Server>;

/** Runs `work` on a new database and a new bucket. */
async function withPlace(endpoint: string, work: (start: Start) => Promise<void>): Promise<void> {
  const bucket = `bench-${randomUUID()}`;
  const client = new S3Client(clientOptions(endpoint));
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
  await withFilesDatabase('postgres', ({ database }) =>
    work((name) =>
      startServer(name, { endpoint, bucket, database: String(database), prefix: `${name.replace(' ', '-')}/` }),
    ),
  );
}

/** Each upload by a new process, which has made a small one before. */
async function uploadOne(start: Start): Promise<void> {
  const growths = new Map<string, number[]>();
  const contestants = CONTESTANTS.map((name) => ({
    name,
    round: async () => {
      const server = await start(name);
      await server.ask({ what: 'upload', amount: 20 });
      await server.ask({ what: 'remove', amount: 1 });
      const { perSecond, growth } = await server.ask({ what: 'upload', amount: MEBIBYTES });
      await server.ask({ what: 'remove', amount: 1 });
      await server.stop();
      growths.set(name, [...(growths.get(name) ?? []), growth]);
      return perSecond;
    },
  }));
  printStandings(`One upload of ${MEBIBYTES} MiB, of unknown length`, 'MiB/s', await contest(contestants));
  for (const [name, growth] of growths)
    console.log(`\n${name}: memory grew by ${growth.map((one) => one.toFixed(0)).join(', ')} MiB`);
}

async function requests(servers: readonly Server[]): Promise<void> {
  const tasks: [string, string, Task][] = [
    [`${UPLOADS} uploads of 100 KiB, 16 at once`, 'uploads/s', { what: 'uploads', amount: UPLOADS }],
    ['Ranges of 1 MiB, eight at once', 'ranges/s', { what: 'ranges', amount: RANGES }],
  ];
  for (const server of servers) await server.ask({ what: 'upload', amount: 256 });
  for (const [title, unit, task] of tasks) {
    for (const server of servers) await server.ask(task);
    const contestants = servers.map(({ name, ask }) => ({ name, round: async () => (await ask(task)).perSecond }));
    printStandings(title, unit, await contest(contestants, 7));
  }
}

/** A tenth of the objects first: memory does not grow with how many there are. */
async function lists(start: () => Promise<Server>, name: string): Promise<void> {
  for (const amount of [Math.ceil(OBJECTS / 10), OBJECTS])
    for (const what of ['list', 'sweep'] as const) {
      const server = await start();
      await server.ask({ what, amount: 1 });
      const { perSecond, growth } = await server.ask({ what, amount });
      await server.stop();
      const figures = `${perSecond.toFixed(0)} objects/s, memory grew by ${growth.toFixed(0)} MiB`;
      console.log(`\n${name}, ${what} of ${amount} objects: ${figures}`);
    }
}

async function withBoth(start: Start, work: (servers: readonly Server[]) => Promise<void>): Promise<void> {
  const servers = await Promise.all(CONTESTANTS.map(start));
  try {
    await work(servers);
  } finally {
    for (const server of servers) await server.stop();
  }
}

async function startServer(name: string, place: Place): Promise<Server> {
  const module = fileURLToPath(new URL('./object-storage/serve.js', import.meta.url));
  const child = fork(module, [name, JSON.stringify(place)], {
    // The SDK's, on Node 20.
    execArgv: ['--no-warnings'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const answer = answerOf(child);
  await answer();
  return {
    name,
    async ask(task) {
      const outcome = answer();
      child.send(task);
      return (await outcome) as Outcome;
    },
    async stop() {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}

/** What the child says next; it throws where it ends instead. */
function answerOf(child: ChildProcess): () => Promise<unknown> {
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`a contestant ended with ${String(code)}`);
  });
  failed.catch(() => undefined);
  return async () => ((await Promise.race([once(child, 'message'), failed])) as unknown[])[0];
}
