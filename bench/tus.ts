// How fast are many tus uploads at once, and how much memory do they take? Against @tus/server with @tus/file-store or,
// where S3_ENDPOINT names a server, with @tus/s3-store. FILES_BENCH_UPLOADS and FILES_BENCH_MIB make less of it.

import { randomUUID } from 'node:crypto';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { clientOptions } from './object-storage/store.js';
import type { Report } from './tus/serve.js';

const MEBIBYTE = 1024 * 1024;
const UPLOADS = Number(process.env['FILES_BENCH_UPLOADS'] ?? 200);
const SIZE = Number(process.env['FILES_BENCH_MIB'] ?? 50) * MEBIBYTE;
const ROUNDS = Number(process.env['FILES_BENCH_ROUNDS'] ?? 3);
// The last one does not wait for the disk, as the first one does not.
const CONTESTANTS = ['@tus/server', 'nestjs-files', 'nestjs-files, fsync: false'];
// Bytes of different requests need not differ.
const CHUNK = Buffer.alloc(8 * MEBIBYTE, 'nestjs-files ');

export async function tus(): Promise<void> {
  const endpoint = process.env['S3_ENDPOINT'];
  console.log(
    `${UPLOADS} tus uploads of ${SIZE / MEBIBYTE} MiB at once, to ${endpoint === undefined ? 'a directory' : 'S3'}`,
  );
  console.log(
    '| server | round | time | MiB/s | processor | peak before | growth |\n| --- | --- | --- | --- | --- | --- | --- |',
  );
  // One after the other, in turn: what else the machine does falls on both.
  for (let round = 1; round <= ROUNDS; round++)
    for (const name of endpoint === undefined ? CONTESTANTS : CONTESTANTS.slice(0, 2))
      await measure(name, round, endpoint);
}

async function measure(name: string, round: number, endpoint: string | undefined): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'tus-'));
  const bucket = endpoint === undefined ? '' : await newBucket(endpoint);
  const server = fork(fileURLToPath(new URL('tus/serve.js', import.meta.url)), [name, root, endpoint ?? '', bucket]);
  const agent = new Agent({ keepAlive: true, maxSockets: UPLOADS });
  try {
    const [{ port }] = (await once(server, 'message')) as [Report];
    // What the first requests load is not what uploads take.
    await upload({ port, agent }, MEBIBYTE);
    const before = await ask(server);
    const start = performance.now();
    await Promise.all(Array.from({ length: UPLOADS }, () => upload({ port, agent }, SIZE)));
    const seconds = (performance.now() - start) / 1000;
    const { peak, cpu } = await ask(server);
    const speed = ((UPLOADS * SIZE) / MEBIBYTE / seconds).toFixed(0);
    const memory = `${before.peak.toFixed(0)} MiB | +${(peak - before.peak).toFixed(0)} MiB`;
    console.log(
      `| ${name} | ${round} | ${seconds.toFixed(1)} s | ${speed} | ${(cpu - before.cpu).toFixed(1)} s | ${memory} |`,
    );
  } finally {
    agent.destroy();
    server.kill();
    await once(server, 'exit');
    await rm(root, { recursive: true, force: true });
  }
}

async function ask(server: ReturnType<typeof fork>): Promise<Report> {
  const [[report]] = (await Promise.all([once(server, 'message'), server.send('report')])) as [[Report], boolean];
  return report;
}

async function newBucket(endpoint: string): Promise<string> {
  const bucket = `bench-${randomUUID()}`;
  const client = new S3Client(clientOptions(endpoint));
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
  return bucket;
}

interface Way {
  port: number;
  agent: Agent;
}

async function upload(way: Way, size: number): Promise<void> {
  const { location = '' } = await send(way, 'POST', '/files/tus', 201, { 'upload-length': size });
  const { pathname } = new URL(location, 'http://127.0.0.1');
  for (let at = 0; at < size; at += CHUNK.length) {
    const body = CHUNK.subarray(0, Math.min(CHUNK.length, size - at));
    const headers = { 'upload-offset': at, 'content-type': 'application/offset+octet-stream' };
    await send(way, 'PATCH', pathname, 204, headers, body);
  }
}

async function send(
  { port, agent }: Way,
  method: string,
  path: string,
  expected: number,
  headers: OutgoingHttpHeaders,
  body?: Buffer,
): Promise<IncomingMessage['headers']> {
  const length = body?.length ?? 0;
  const sent = request({ port, agent, method, path });
  for (const [name, value] of Object.entries({ 'tus-resumable': '1.0.0', 'content-length': length, ...headers }))
    sent.setHeader(name, value as string | number);
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  if (response.statusCode !== expected) throw new Error(`${method} was answered with ${response.statusCode}.`);
  return response.headers;
}
