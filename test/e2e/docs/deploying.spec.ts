import { tracingChannel } from 'node:diagnostics_channel';
import { Controller, Get, Header, Injectable } from '@nestjs/common';
import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { NestApplication } from '@nestjs/core';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { TaskQueue } from 'nestjs-files';
import { FILES_CHANNELS } from 'nestjs-files/diagnostics';
import { FilesJobs } from 'nestjs-files/jobs';
import { FilesSweeper } from 'nestjs-files/maintenance';
import { describe, expect, it } from 'vitest';
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
    const bytes = new Counter({ name: 'nestjs_files_bytes_total', help: 'Bytes that were moved', ...work });
    for (const [kind, name] of Object.entries(FILES_CHANNELS)) {
      const begun = new WeakMap<object, () => number>();
      const subscribers = {
        start: (traced: object) => void begun.set(traced, seconds.startTimer({ kind })),
        end: () => undefined,
        asyncStart: () => undefined,
        error: () => failures.inc({ kind }),
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
        const oldest = await sweeper.oldestIntent();
        this.set(oldest ? (Date.now() - oldest.getTime()) / 1000 : 0);
      },
    });
    new Gauge({
      name: 'nestjs_files_failed_jobs',
      help: 'Jobs that were given up, up to 1000',
      registers,
      async collect() {
        this.set((await jobs.failed({ limit: 1000 })).length);
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
