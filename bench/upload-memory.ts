// How much memory does an upload take, by its size? Each size gets a fresh server in a process of its own.

import 'reflect-metadata';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { TypeOrmModule } from '@nestjs/typeorm';
import { FilesModule } from '../lib/files.module.js';
import { fsStorage } from '../lib/storage/adapters/fs.storage.js';

const MEBIBYTE = 1024 * 1024;
const SIZES = [1, 100, 2048];
const PLATFORMS = ['express', 'fastify'];
const BOUNDARY = 'x-boundary-x';

/** Runs in the child: an application, and its memory when it is asked. */
async function serve(platform: string, root: string): Promise<void> {
  @Module({
    imports: [
      TypeOrmModule.forRoot({
        type: 'better-sqlite3',
        database: ':memory:',
        synchronize: true,
        autoLoadEntities: true,
      }),
      FilesModule.forRoot({
        storages: { default: fsStorage({ root, maxSize: Infinity }) },
        uploads: () => true,
        sweeper: false,
      }),
    ],
  })
  class AppModule {}
  const adapter = platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
  const app = await NestFactory.create(AppModule, adapter, { logger: false });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  process.on('message', () => process.send?.({ port, peak: process.resourceUsage().maxRSS / 1024 }));
  process.send?.({ port, peak: 0 });
}

interface Report {
  port: number;
  /** The most memory so far, in MiB. */
  peak: number;
}

async function upload(port: number, mebibytes: number): Promise<void> {
  const sent = request({ port, path: '/files', method: 'POST' });
  sent.setHeader('content-type', `multipart/form-data; boundary=${BOUNDARY}`);
  const answer = once(sent, 'response') as Promise<[IncomingMessage]>;
  sent.write(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="zeros"\r\n\r\n`);
  const chunk = Buffer.alloc(MEBIBYTE);
  for (let left = mebibytes; left > 0; left--) if (!sent.write(chunk)) await once(sent, 'drain');
  sent.end(`\r\n--${BOUNDARY}--\r\n`);
  const [response] = await answer;
  response.resume();
  if (response.statusCode !== 201) throw new Error(`The upload was answered with ${response.statusCode}.`);
  await once(response, 'end');
}

async function measure(platform: string, mebibytes: number): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'upload-memory-'));
  const server = fork(fileURLToPath(import.meta.url), ['serve', platform, root]);
  const ask = async (): Promise<Report> => {
    const [report] = (await Promise.all([once(server, 'message'), server.send('report')]))[0] as [Report];
    return report;
  };
  try {
    const [{ port }] = (await once(server, 'message')) as [Report];
    // What the first request loads is not what an upload takes.
    await upload(port, 1);
    const before = await ask();
    const start = performance.now();
    await upload(port, mebibytes);
    const seconds = (performance.now() - start) / 1000;
    const { peak } = await ask();
    const growth = (peak - before.peak).toFixed(0);
    return `| ${platform} | ${mebibytes} MiB | ${before.peak.toFixed(0)} MiB | +${growth} MiB | ${seconds.toFixed(1)} s |`;
  } finally {
    server.kill();
    await rm(root, { recursive: true, force: true });
  }
}

export async function uploadMemory(): Promise<void> {
  console.log('| platform | upload | peak before | growth | time |\n| --- | --- | --- | --- | --- |');
  for (const platform of PLATFORMS) for (const size of SIZES) console.log(await measure(platform, size));
}

const [, , mode, platform = '', root = ''] = process.argv;
if (mode === 'serve') await serve(platform, root);
