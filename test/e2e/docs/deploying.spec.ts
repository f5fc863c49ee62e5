import { tracingChannel } from 'node:diagnostics_channel';
import { Readable } from 'node:stream';
import { Controller, Get, Header, Injectable } from '@nestjs/common';
import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { NestApplication } from '@nestjs/core';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { FilesService, TaskQueue } from 'nestjs-files';
import { FILES_CHANNELS } from 'nestjs-files/diagnostics';
import { FilesJobs } from 'nestjs-files/jobs';
import { FilesSweeper } from 'nestjs-files/maintenance';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { gate } from '../../support/gate.js';
import { storageWith } from '../../support/storage-with.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { HealthModule } from '../../support/health.module.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';

@Injectable()
export class FilesMetrics implements OnModuleInit, OnApplicationShutdown {
  readonly registry = new Registry();
  readonly #stop: (() => void)[] = [];

  constructor(
    private readonly sweeper: FilesSweeper,
    private readonly jobs: FilesJobs,
  ) {}

  onModuleInit(): void {
    const registers = [this.registry];
    const work = { labelNames: ['kind'], registers };
    const seconds = new Histogram({ name: 'nestjs_files_seconds', help: 'Duration of the work', ...work });
    const failures = new Counter({ name: 'nestjs_files_failures_total', help: 'Work that failed', ...work });
    const bytes = new Counter({
      name: 'nestjs_files_bytes_total',
      help: 'Bytes that were uploaded, and that downloads have asked for',
      ...work,
    });
    for (const [kind, name] of Object.entries(FILES_CHANNELS)) {
      const begun = new WeakMap<object, () => number>();
      const subscribers = {
        start: (traced: object) => void begun.set(traced, seconds.startTimer({ kind })),
        end: () => undefined,
        asyncStart: () => undefined,
        error: ({ error }: { error?: unknown }) => {
          // A client that leaves a download is no failure.
          if ((error as { code?: unknown } | undefined)?.code !== 'ERR_STREAM_PREMATURE_CLOSE') failures.inc({ kind });
        },
        asyncEnd: (traced: { bytes?: number }) => {
          begun.get(traced)?.();
          bytes.inc({ kind }, traced.bytes ?? 0);
        },
      };
      const channel = tracingChannel<unknown, { bytes?: number }>(name);
      channel.subscribe(subscribers);
      this.#stop.push(() => channel.unsubscribe(subscribers));
    }
    const { sweeper, jobs } = this;
    new Gauge({
      name: 'nestjs_files_oldest_intent_seconds',
      help: 'Age of the oldest intent',
      registers,
      async collect() {
        // Without the database, all other readings are still told.
        this.set(
          await sweeper.oldestIntent().then(
            (oldest) => (oldest ? (Date.now() - oldest.getTime()) / 1000 : 0),
            () => NaN,
          ),
        );
      },
    });
    new Gauge({
      name: 'nestjs_files_failed_jobs',
      help: 'Jobs that were given up, up to 1000',
      registers,
      async collect() {
        this.set(
          await jobs.failed({ limit: 1000 }).then(
            (failed) => failed.length,
            () => NaN,
          ),
        );
      },
    });
  }

  onApplicationShutdown(): void {
    for (const stop of this.#stop) stop();
  }
}

@Controller('metrics')
export class MetricsController {
  constructor(private readonly metrics: FilesMetrics) {}

  @Get()
  @Header('Content-Type', 'text/plain; version=0.0.4')
  read(): Promise<string> {
    return this.metrics.registry.metrics();
  }
}

const bytesOf = (chunk: Buffer, count: number): Readable => Readable.from(Array.from({ length: count }, () => chunk));

const others = ['../../unit/storage/s3.storage.spec.ts', '../../support/health.module.ts'];

it('runs every example of docs/deploying.md', async () => {
  const specs = others.map((path) => new URL(path, import.meta.url).href);
  expect(await examplesNotRun('deploying.md', import.meta.url, ...specs)).toEqual([]);
});

describe.each(PLATFORMS)('an application on %s', (platform) => {
  it('answers the three questions about its health', async () => {
    const app = await startApp({ platform, imports: [HealthModule] });
    for (const route of ['live', 'ready', 'files']) expect((await app.fetch(`/health/${route}`)).status).toBe(200);
  });

  it('counts what the library does, and what waits', async () => {
    const app = await startApp({ platform, controllers: [MetricsController], providers: [FilesMetrics] });
    await uploadFile(app, 'ada', formWith('four'));
    await expect(app.app.get(TaskQueue).run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');

    const response = await app.fetch('/metrics');

    expect(response.headers.get('content-type')).toContain('text/plain');
    const lines = (await response.text()).split('\n');
    expect(lines).toContain('nestjs_files_seconds_count{kind="upload"} 1');
    expect(lines).toContain('nestjs_files_bytes_total{kind="upload"} 4');
    expect(lines).toContain('nestjs_files_failures_total{kind="unit"} 1');
    expect(lines).toContain('nestjs_files_oldest_intent_seconds 0');
    expect(lines).toContain('nestjs_files_failed_jobs 0');
  });

  it('tells all other readings while the database is away', async () => {
    const app = await startApp({ platform, controllers: [MetricsController], providers: [FilesMetrics] });
    await uploadFile(app, 'ada', formWith('four'));
    const away = [
      vi.spyOn(app.app.get(FilesSweeper), 'oldestIntent').mockRejectedValue(new Error('no database')),
      vi.spyOn(app.app.get(FilesJobs), 'failed').mockRejectedValue(new Error('no database')),
    ];
    onTestFinished(() => away.forEach((one) => one.mockRestore()));
    const response = await app.fetch('/metrics');
    expect(response.status).toBe(200);
    const lines = (await response.text()).split('\n');
    expect(lines).toContain('nestjs_files_seconds_count{kind="upload"} 1');
    expect(lines).toContain('nestjs_files_oldest_intent_seconds Nan');
    expect(lines).toContain('nestjs_files_failed_jobs Nan');
  });

  it('counts no failure where a client leaves a download, and one where the storage fails', async () => {
    const chunk = Buffer.alloc(2 ** 16, 'x');
    let isBroken = false;
    const read = (): Readable => {
      let sent = 0;
      return new Readable({
        read() {
          if (isBroken) this.destroy(new Error('the disk is gone'));
          else this.push(sent++ < 1024 ? chunk : null);
        },
      });
    };
    const storage = storageWith({ read: () => Promise.resolve(read()) });
    const app = await startApp({
      platform,
      controllers: [MetricsController],
      providers: [FilesMetrics],
      options: { storages: { default: storage } },
    });
    const { id } = await app.app.get(FilesService).create(bytesOf(chunk, 1024), { name: 'big.bin', owner: null });
    const ended = gate();
    const { asyncEnd } = tracingChannel(FILES_CHANNELS.download);
    asyncEnd.subscribe(ended.open);
    onTestFinished(() => {
      asyncEnd.unsubscribe(ended.open);
    });
    const leaving = new AbortController();
    const response = await app.fetch(`/files/${id}/content`, {
      signal: leaving.signal,
      headers: { 'x-user': 'admin' },
    });
    expect(response.status).toBe(200);
    await response.body?.getReader().read();
    leaving.abort();
    await ended.opened;
    const failed = async () =>
      (await (await app.fetch('/metrics')).text())
        .split('\n')
        .filter((line) => line.startsWith('nestjs_files_failures_total{'));
    expect(await failed()).toEqual([]);
    isBroken = true;
    const broken = await app.app.get(FilesService).stream(id);
    await expect(broken.toArray()).rejects.toThrow('the disk is gone');
    await expect.poll(failed).toEqual(['nestjs_files_failures_total{kind="download"} 1']);
  });
});

// The page lets a shutdown take five seconds, so both applications end at the same time.
it('is not ready any more once its shutdown has begun, and still alive', async () => {
  const shutDown = async (platform: (typeof PLATFORMS)[number]): Promise<void> => {
    const app = await startApp({ platform, imports: [HealthModule] });
    const closed = (app.app as NestApplication).close('SIGTERM');
    await expect.poll(async () => (await app.fetch('/health/ready')).status).toBe(503);
    expect((await app.fetch('/health/live')).status).toBe(200);
    await uploadFile(app, 'ada', formWith('served still'));
    await closed;
    await expect(app.fetch('/health/live')).rejects.toThrow('fetch failed');
  };
  await Promise.all(PLATFORMS.map(shutDown));
});
