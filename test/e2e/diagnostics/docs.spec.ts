import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import { text } from 'node:stream/consumers';
import {
  Body,
  Controller,
  Injectable,
  type OnApplicationShutdown,
  type OnModuleInit,
  Post,
  ValidationPipe,
} from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  type Attributes,
  type Context,
  context,
  type ContextManager,
  metrics,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Column, Entity, PrimaryColumn, Repository } from 'typeorm';
import { afterAll, expect, it } from 'vitest';
import { FileJob, FilesService, TransferOwnership, WithTaskQueue, TaskQueue } from '../../../lib/index.js';
import { FILES_CHANNELS } from '../../../lib/entry/diagnostics.js';
import { FilesAudit, FilesSweeper } from '../../../lib/entry/maintenance.js';
import type {
  DownloadTrace,
  DrainTrace,
  JobTrace,
  SweepTrace,
  TaskTrace,
  TransferTrace,
  UnitTrace,
  UploadTrace,
} from '../../../lib/entry/diagnostics.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { formWith, startApp, uploadFile } from '../../support/http-app.js';

/** A context manager whose storage can be bound to channels. */
class ChannelContextManager implements ContextManager {
  readonly storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.storage.run(active, () => fn.apply(thisArg, args));
  }

  bind<T>(active: Context, target: T): T {
    if (typeof target !== 'function') return target;
    const bound = (...args: unknown[]): unknown => this.storage.run(active, () => target(...args) as unknown);
    return bound as T;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.storage.disable();
    return this;
  }
}

type Payloads = UnitTrace &
  DrainTrace &
  TaskTrace &
  TransferTrace &
  UploadTrace &
  DownloadTrace &
  SweepTrace &
  JobTrace;
type Traced = Partial<Omit<Payloads, 'error'>> & { error?: unknown };

/** Makes a span, a count and a duration of everything that the library traces. */
@Injectable()
class FilesTelemetry implements OnModuleInit, OnApplicationShutdown {
  readonly #stop: (() => void)[] = [];

  constructor(private readonly contexts: ChannelContextManager) {}

  onModuleInit(): void {
    const tracer = trace.getTracer('nestjs-files');
    const meter = metrics.getMeter('nestjs-files');
    const durations = meter.createHistogram('nestjs_files.duration', { unit: 'ms' });
    const failures = meter.createCounter('nestjs_files.failures');
    const bytes = meter.createCounter('nestjs_files.bytes', { unit: 'By' });

    for (const [kind, name] of Object.entries(FILES_CHANNELS)) {
      const spans = new WeakMap<object, { span: Span; from: number }>();
      const channel = tracingChannel<unknown, Traced>(name);
      channel.start.bindStore(this.contexts.storage, (traced) => {
        const around = this.contexts.active();
        const { carrier = {} } = traced;
        const origin = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, carrier));
        const span = tracer.startSpan(`nestjs-files ${kind}`, { links: origin ? [{ context: origin }] : [] }, around);
        spans.set(traced, { span, from: performance.now() });
        const inside = trace.setSpan(around, span);
        if (kind === 'enqueue') propagation.inject(inside, carrier);
        return inside;
      });
      const subscribers = {
        start: () => undefined,
        end: () => undefined,
        asyncStart: () => undefined,
        error: () => failures.add(1, { kind }),
        asyncEnd: (traced: Traced) => {
          const { span, from } = spans.get(traced) ?? {};
          if (!span || from === undefined) return; // subscribed while it was running
          span.setAttributes(attributesOf(traced));
          if (traced.error instanceof Error) span.recordException(traced.error);
          if ('error' in traced) span.setStatus({ code: SpanStatusCode.ERROR });
          span.end();
          durations.record(performance.now() - from, { kind });
          if (traced.bytes) bytes.add(traced.bytes, { kind });
        },
      };
      channel.subscribe(subscribers);
      this.#stop.push(() => {
        channel.unsubscribe(subscribers);
        channel.start.unbindStore(this.contexts.storage);
      });
    }
  }

  onApplicationShutdown(): void {
    for (const stop of this.#stop) stop();
  }
}

function attributesOf(traced: Traced): Attributes {
  const { name, kind, attempt, outcome, tasks, count, fileIds, storage, bytes, job } = traced;
  return { name, kind, attempt, outcome, tasks, count, fileIds: fileIds && [...fileIds], storage, bytes, job };
}

const contexts = new ChannelContextManager();
context.setGlobalContextManager(contexts.enable());
const telemetry = { provide: ChannelContextManager, useValue: contexts };
const providers = [telemetry, FilesTelemetry];

@Entity('report')
class Report {
  @PrimaryColumn('varchar') id!: string;
  @Column('varchar') fileId!: string;
}

class ReportDto {
  id!: string;
  @TransferOwnership('report') fileId!: string;
  fails?: boolean;
}

@Controller('reports')
class ReportsController {
  constructor(
    private readonly queue: TaskQueue,
    @InjectRepository(Report) private readonly reports: Repository<Report>,
  ) {}

  @Post()
  @WithTaskQueue()
  async create(@Body() { id, fileId, fails = false }: ReportDto): Promise<Report> {
    this.queue.add(function notify() {
      if (fails) throw new Error('not notified');
    });
    return this.reports.save({ id, fileId });
  }
}

const spans = new InMemorySpanExporter();
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }));
const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 3_600_000 });
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));

afterAll(() => reader.shutdown());

// What the SDK of OpenTelemetry sets.
propagation.setGlobalPropagator({
  inject: (active, carrier, { set }) => {
    const { traceId, spanId } = trace.getSpanContext(active) ?? {};
    set(carrier, 'traceparent', `00-${traceId}-${spanId}-01`);
  },
  extract: (active, carrier, { get }) => {
    const [, traceId, spanId] = String(get(carrier, 'traceparent') ?? '').split('-');
    return traceId && spanId
      ? trace.setSpanContext(active, { traceId, spanId, traceFlags: 1, isRemote: true })
      : active;
  },
  fields: () => ['traceparent'],
});

@Injectable()
class Notices {
  @FileJob('notice')
  run(): void {}
}

const start = async () => {
  const app = await startApp({
    controllers: [ReportsController],
    providers: [...providers, Notices],
    imports: [TypeOrmModule.forFeature([Report])],
    prepare: (made) => void made.useGlobalPipes(new ValidationPipe({ transform: true })),
  });
  const save = (body: object) =>
    app.fetch('/reports', {
      method: 'POST',
      user: 'ada',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  return { app, save };
};

/** The names of the spans with what they are inside of, from the outside in. */
function paths(): string[] {
  const finished = spans.getFinishedSpans();
  const byId = new Map(finished.map((span) => [span.spanContext().spanId, span]));
  const pathOf = (span: (typeof finished)[number]): string => {
    const parent = byId.get(span.parentSpanContext?.spanId ?? '');
    const name = span.name.replace('nestjs-files ', '');
    return parent ? `${pathOf(parent)} > ${name}` : name;
  };
  return finished.map(pathOf);
}

it('runs every example of docs/observability.md', async () => {
  expect(await examplesNotRun('observability.md', import.meta.url)).toEqual([]);
});

it('turns a request, its drain, its tasks and its transfer into spans that nest', async () => {
  const { app, save } = await start();
  const { id: fileId } = await uploadFile(app, 'ada', formWith('text'));
  spans.reset();
  expect((await save({ id: 'r', fileId })).status).toBe(201);
  expect(paths()).toEqual([
    'unit > drain > task > transfer',
    'unit > drain > task',
    'unit > drain > task',
    'unit > drain',
    'unit',
  ]);
  const attributes = spans.getFinishedSpans().map((span) => span.attributes);
  expect(attributes[0]).toEqual({ fileIds: [fileId] });
  expect(attributes[2]).toEqual({ name: 'notify', count: 1 });
  expect(attributes.at(-1)).toEqual({
    name: 'ReportsController.create',
    kind: 'root',
    attempt: 1,
    outcome: 'commit',
    tasks: 2,
  });
});

it('logs the failed step, and how the unit ended', async () => {
  const { app, save } = await start();
  const { id: fileId } = await uploadFile(app, 'ada', formWith('text'));
  spans.reset();
  expect((await save({ id: 'r', fileId, fails: true })).status).toBe(500);
  const failed = spans.getFinishedSpans().filter(({ status }) => status.code === SpanStatusCode.ERROR);
  expect(failed.map(({ name }) => name)).toEqual(['nestjs-files task', 'nestjs-files drain', 'nestjs-files unit']);
  expect(failed[0]?.events[0]?.attributes?.['exception.message']).toBe('not notified');
  expect(failed.at(-1)?.attributes['outcome']).toBe('rollback');
});

it('traces bytes in and out, sweeps and audits, below the caller’s span', async () => {
  const { app } = await start();
  const { id } = await uploadFile(app, 'ada', formWith('four'));
  spans.reset();
  const files = app.app.get(FilesService);
  const span = trace.getTracer('test').startSpan('outside');
  await context.with(trace.setSpan(context.active(), span), async () => {
    await files.replace(id, Buffer.from('longer'));
    expect(await text(await files.stream(id, { start: 1, end: 3 }))).toBe('ong');
    await app.app.get(FilesSweeper).sweep();
    expect(await app.app.get(FilesAudit).run().next()).toMatchObject({ done: true });
  });
  span.end();
  expect(paths()).toEqual(
    expect.arrayContaining([
      'outside > upload',
      'outside > unit',
      'outside > download',
      'outside > sweep',
      'outside > audit',
    ]),
  );
  const of = (name: string) => spans.getFinishedSpans().find((one) => one.name === `nestjs-files ${name}`)?.attributes;
  expect(of('upload')).toEqual({ storage: 'default', bytes: 6 });
  expect(of('download')).toEqual({ storage: 'default', bytes: 3 });
});

it('links the run of a job with the span that queued it', async () => {
  const { app } = await start();
  spans.reset();
  const queue = app.app.get(TaskQueue);
  await queue.run(() => queue.enqueue('notice', null), { name: 'notifying' });
  const named = (name: string) => spans.getFinishedSpans().find((one) => one.name === `nestjs-files ${name}`);
  await expect.poll(() => named('job')).toBeDefined();
  const [run, queued] = [named('job'), named('enqueue')];
  expect(paths()).toContain('unit > enqueue');
  expect(run?.attributes).toEqual({ job: 'notice', attempt: 1 });
  expect(run?.links.map(({ context: { spanId } }) => spanId)).toEqual([queued?.spanContext().spanId]);
});

it('counts and measures', async () => {
  await reader.forceFlush();
  const found = measured.getMetrics().at(-1)?.scopeMetrics[0]?.metrics ?? [];
  const points = (name: string) =>
    found
      .find(({ descriptor }) => descriptor.name === name)
      ?.dataPoints.map(({ attributes, value }) => [attributes['kind'], value] as const);
  expect(new Map(points('nestjs_files.bytes')).get('download')).toBe(3);
  expect(new Map(points('nestjs_files.failures')).get('unit')).toBe(1);
  const kinds = points('nestjs_files.duration')?.map(([kind]) => kind);
  expect(kinds?.sort()).toEqual(Object.keys(FILES_CHANNELS).sort());
});
