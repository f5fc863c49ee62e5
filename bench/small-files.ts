// How long do small files take? 20 KiB, 16 at once, on PostgreSQL and a directory: uploads against multer and one
// INSERT, downloads and their 304 against one SELECT and `res.sendFile`.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from './support/child.js';
import type { Child } from './support/child.js';
import { contest, printStandings } from './support/contest.js';
import { withFilesDatabase } from './support/databases.js';
import { load } from './support/load.js';
import type { Call } from './support/load.js';

const SIZE = 20 * 1024;
const CALLS = 1000;
const ROUNDS = 9;
const NAMES = ['by hand', 'nestjs-files, not synced', 'nestjs-files'];
const BOUNDARY = '----WebKitFormBoundary7MA4YWxkTrZu0gW';

interface Server extends Child {
  readonly name: string;
}

export async function smallFiles(): Promise<void> {
  await withFilesDatabase('postgres', async (database) => {
    const root = await mkdtemp(join(tmpdir(), 'files-bench-'));
    const module = new URL('./small-files/serve.js', import.meta.url).href;
    const start = async (name: string): Promise<Server> => {
      return { name, ...(await startChild(module, name, root, JSON.stringify(database))) };
    };
    const servers: Server[] = [];
    try {
      for (const name of NAMES) servers.push(await start(name));
      await uploads(servers);
      await downloads(servers.filter(({ name }) => name !== 'nestjs-files, not synced'));
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
      await rm(root, { recursive: true, force: true });
    }
  });
}

async function uploads(servers: readonly Server[]): Promise<void> {
  const calls = Array.from({ length: CALLS }, upload);
  await compare('Uploads of 20 KiB, 16 at once', 'uploads/s', servers, () => calls);
}

async function downloads(servers: readonly Server[]): Promise<void> {
  const found = new Map<Server, { path: string; etag: string }>();
  for (const server of servers) found.set(server, await oneOf(server));
  const calls = (server: Server, headers: (etag: string) => Record<string, string>): Call[] => {
    const { path, etag } = found.get(server)!;
    return Array.from({ length: 2 * CALLS }, () => ({ method: 'GET', path, headers: headers(etag) }));
  };
  await compare('Downloads of 20 KiB, 16 at once', 'downloads/s', servers, (server) => calls(server, () => ({})));
  const conditional = (server: Server): Call[] => calls(server, (etag) => ({ 'if-none-match': etag }));
  await compare('The same, answered with 304', 'answers/s', servers, conditional);
}

async function compare(
  title: string,
  unit: string,
  servers: readonly Server[],
  callsOf: (server: Server) => readonly Call[],
): Promise<void> {
  const contestants = servers.map((server) => {
    const calls = callsOf(server);
    return { name: server.name, round: () => load(server.port, calls) };
  });
  for (const { round } of contestants) await round();
  printStandings(title, unit, await contest(contestants, ROUNDS));
}

/** A file of the server, and its validator. */
async function oneOf({ port }: Server): Promise<{ path: string; etag: string }> {
  const base = `http://127.0.0.1:${port}`;
  const { method, headers, body } = upload();
  const made = await fetch(`${base}/files`, { method, headers: { ...headers }, body: body as Buffer<ArrayBuffer> });
  const { id } = (await made.json()) as { id: string };
  const path = `/files/${id}/content`;
  const answer = await fetch(base + path);
  await answer.arrayBuffer();
  return { path, etag: answer.headers.get('etag') ?? '' };
}

function upload(): Call {
  const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n`;
  const body = Buffer.concat([Buffer.from(head), randomBytes(SIZE), Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]);
  return {
    method: 'POST',
    path: '/files',
    body,
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
  };
}
