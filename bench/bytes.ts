// How fast are bytes taken and given? Uploads against a pipeline by hand, downloads and ranges against the package
// `send`.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { startChild } from './support/child.js';
import type { Child } from './support/child.js';
import { contest, printStandings } from './support/contest.js';

const MEBIBYTE = 1024 * 1024;
const SIZE = 1024;
const RANGES = 1000;
// As browsers make them: how fast a form is searched for its boundary depends on the boundary's length.
const BOUNDARY = '----WebKitFormBoundary7MA4YWxkTrZu0gW';
const CONTESTANTS = ['by hand', 'nestjs-files on express', 'nestjs-files on fastify'];
const chunk = randomBytes(256 * 1024);

interface Server {
  readonly name: string;
  readonly child: Child;
  readonly root: string;
}

/** Each upload goes to a new server, which has taken a small one before. */
export async function uploads(): Promise<void> {
  const contestants = CONTESTANTS.map((name) => ({ name, round: () => uploadToNew(name) }));
  printStandings(`Uploads of ${SIZE} MiB, hashed`, 'MiB/s', await contest(contestants));
}

export async function downloads(): Promise<void> {
  const servers = await Promise.all(CONTESTANTS.map(start));
  try {
    const paths = await Promise.all(servers.map((server) => upload(server, SIZE)));
    const whole = servers.map(({ name, child }, at) => {
      return { name: labelled(name), round: () => timed(SIZE, () => download(child.port, paths[at]!)) };
    });
    printStandings(`Downloads of ${SIZE} MiB`, 'MiB/s', await contest(whole));
    const ranges = servers.map(({ name, child }, at) => {
      return { name: labelled(name), round: () => timed(RANGES, () => downloadRanges(child.port, paths[at]!)) };
    });
    for (const { round } of ranges) await round();
    printStandings('Ranges of 1 MiB, eight at a time', 'requests/s', await contest(ranges, 7));
  } finally {
    for (const server of servers) await stop(server);
  }
}

function labelled(name: string): string {
  return name === 'by hand' ? 'send' : name;
}

async function start(name: string): Promise<Server> {
  const root = await mkdtemp(join(tmpdir(), 'files-bench-'));
  return {
    name,
    root,
    child: await startChild(new URL('./bytes/serve.js', import.meta.url).href, name.replace(' on ', '-'), root),
  };
}

async function stop({ child, root }: Server): Promise<void> {
  await child.stop();
  await rm(root, { recursive: true, force: true });
}

async function timed(amount: number, work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return (amount * 1000) / (performance.now() - begun);
}

async function uploadToNew(name: string): Promise<number> {
  const server = await start(name);
  try {
    await upload(server, 1);
    return await timed(SIZE, () => upload(server, SIZE));
  } finally {
    await stop(server);
  }
}

/** Uploads so many MiB, and gives the path to download them from. */
async function upload({ name, child }: Server, size: number): Promise<string> {
  const isByHand = name === 'by hand';
  const type = isByHand ? 'application/octet-stream' : `multipart/form-data; boundary=${BOUNDARY}`;
  const sent = request({
    port: child.port,
    path: isByHand ? '/by-hand/file' : '/files',
    method: isByHand ? 'PUT' : 'POST',
    headers: { 'content-type': type },
  });
  const answer = once(sent, 'response') as Promise<[IncomingMessage]>;
  if (!isByHand) sent.write(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n\r\n`);
  for (let left = (size * MEBIBYTE) / chunk.length; left > 0; left--) if (!sent.write(chunk)) await once(sent, 'drain');
  sent.end(isByHand ? '' : `\r\n--${BOUNDARY}--\r\n`);
  const [response] = await answer;
  const body = JSON.parse(await text(response)) as { id?: string; size: number };
  if (body.size !== size * MEBIBYTE) throw new Error(`${name} stored ${body.size} bytes.`);
  return isByHand ? '/by-hand/file' : `/files/${body.id}/content`;
}

async function download(port: number, path: string, range?: string, agent?: Agent): Promise<void> {
  const sent = request({ port, path, agent, headers: range === undefined ? {} : { range } }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  if (response.statusCode !== (range === undefined ? 200 : 206))
    throw new Error(`Answered with ${response.statusCode}.`);
  response.resume();
  await once(response, 'end');
}

async function downloadRanges(port: number, path: string): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const starts = Array.from({ length: RANGES }, (_, n) => ((n * 37) % SIZE) * MEBIBYTE).values();
  const worker = async (): Promise<void> => {
    for (const at of starts) await download(port, path, `bytes=${at}-${at + MEBIBYTE - 1}`, agent);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  agent.destroy();
}
