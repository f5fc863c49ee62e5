import { request } from 'node:http';
import {
  Body,
  type CallHandler,
  ConflictException,
  Controller,
  type ExecutionContext,
  Get,
  Header,
  Injectable,
  Logger,
  type NestInterceptor,
  Param,
  ParseIntPipe,
  type PipeTransform,
  Post,
  StreamableFile,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { IsString, MinLength, registerDecorator } from 'class-validator';
import { catchError, concat, from, map, type Observable, of, retry, throwError, timeout } from 'rxjs';
import { Readable } from 'node:stream';
import { Repository } from 'typeorm';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { addTask, TaskQueue } from '../../../lib/task-queue/task-queue.js';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { currentUnit } from '../../../lib/unit-of-work/unit-of-work.js';
import { Note, PLATFORMS, post, queueApp, type QueueApp } from '../../support/queue-app.js';

/** What the application under test did, in order. */
const log: string[] = [];
/** Lets a test hold a handler at a point. */
let gate: { reached: () => void; open: Promise<unknown> } = { reached: () => undefined, open: Promise.resolve() };

class LogPipe implements PipeTransform {
  constructor(private readonly name: string) {}
  transform(value: unknown): unknown {
    addTask(() => log.push(`${this.name} task`));
    return value;
  }
}

function QueuesTask() {
  return (target: object, propertyName: string) =>
    registerDecorator({
      name: 'queuesTask',
      target: target.constructor,
      propertyName,
      validator: {
        validate: (value: unknown) => {
          addTask((result) => log.push(`constraint of ${String(value)} sees ${JSON.stringify(result)}`));
          return Promise.resolve(true);
        },
      },
    });
}

class NoteDto {
  @IsString() @MinLength(1) @QueuesTask() id!: string;
}

@Injectable()
class Wrap implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

@Injectable()
class GiveUp implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(timeout({ first: 50, with: () => throwError(() => new ConflictException('timed out')) }));
  }
}

@Injectable()
class Fallback implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(catchError((error: Error) => of({ caught: error.message })));
  }
}

@Injectable()
class FallbackInTime implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(timeout({ first: 50, with: () => of({ caught: 'timed out' }) }));
  }
}

@Injectable()
class Retry implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(retry(1));
  }
}

@Controller()
@UsePipes(new LogPipe('controller pipe'))
class NotesController {
  constructor(
    private readonly queue: TaskQueue,
    @InjectRepository(Note) private readonly notes: Repository<Note>,
  ) {}

  @Post('notes')
  @WithTaskQueue()
  @UsePipes(new LogPipe('method pipe'))
  async create(@Body(new LogPipe('parameter pipe')) dto: NoteDto): Promise<Note> {
    log.push('handler');
    return this.notes.save({ id: dto.id, text: null });
  }

  @Post('fail/:where')
  @WithTaskQueue()
  async fail(@Param('where') where: string, @Body() dto: NoteDto): Promise<Note> {
    const note = await this.notes.save({ id: dto.id, text: null });
    if (where === 'handler') throw new ConflictException('handler');
    this.queue.add(() => this.notes.insert({ id: `${dto.id}-task` }));
    this.queue.add(() => {
      throw new ConflictException('task');
    });
    return note;
  }

  @Post('wrapped')
  @UseInterceptors(Wrap)
  @WithTaskQueue()
  async wrapped(@Body() dto: NoteDto): Promise<Note> {
    return this.notes.save({ id: dto.id, text: null });
  }

  @Post('number/:n')
  @WithTaskQueue()
  number(@Param('n', ParseIntPipe) n: number): number {
    log.push('handler');
    return n;
  }

  @Post('slow')
  @WithTaskQueue()
  async slow(@Body() dto: NoteDto): Promise<Note> {
    const note = await this.notes.save({ id: dto.id, text: null });
    gate.reached();
    await gate.open;
    return note;
  }

  @Post('slow-observable')
  @WithTaskQueue()
  slowObservable(@Body() dto: NoteDto): Observable<Note> {
    return from(this.slow(dto));
  }

  @Post('timeout-inside')
  @UseInterceptors(GiveUp)
  @WithTaskQueue()
  timeoutInside(@Body() dto: NoteDto): Promise<Note> {
    return this.slow(dto);
  }

  @Post('timeout-outside')
  @WithTaskQueue()
  @UseInterceptors(GiveUp)
  timeoutOutside(@Body() dto: NoteDto): Promise<Note> {
    return this.slow(dto);
  }

  @Post('caught-inside/:where')
  @UseInterceptors(Fallback)
  @WithTaskQueue()
  caughtInside(@Param('where') where: string, @Body() dto: NoteDto): Promise<Note> | Observable<Note> {
    const failing = this.#failHalfway(dto);
    return where === 'observable' ? concat(of({ id: dto.id, text: 'first' }), from(failing)) : failing;
  }

  @Post('caught-outside/:where')
  @WithTaskQueue()
  @UseInterceptors(Fallback)
  caughtOutside(@Param('where') where: string, @Body() dto: NoteDto): Promise<Note> | Observable<Note> {
    return this.caughtInside(where, dto);
  }

  @Post('caught-in-time')
  @UseInterceptors(FallbackInTime)
  @WithTaskQueue()
  caughtInTime(@Body() dto: NoteDto): Promise<Note> {
    return this.slow(dto);
  }

  @Post('retried-inside')
  @UseInterceptors(Retry)
  @WithTaskQueue()
  retriedInside(@Body() dto: NoteDto): Promise<Note> {
    return this.#failOnce(dto);
  }

  @Post('retried-outside')
  @WithTaskQueue()
  @UseInterceptors(Retry)
  retriedOutside(@Body() dto: NoteDto): Promise<Note> {
    return this.#failOnce(dto);
  }

  async #failHalfway(dto: NoteDto): Promise<never> {
    this.queue.add(() => log.push('task'));
    await this.notes.save({ id: dto.id, text: null });
    throw new ConflictException('halfway');
  }

  async #failOnce(dto: NoteDto): Promise<Note> {
    log.push('handler');
    const attempt = log.filter((line) => line === 'handler').length;
    const note = await this.notes.save({ id: `${dto.id}-${attempt}`, text: null });
    if (attempt === 1) throw new ConflictException('halfway');
    return note;
  }

  @Post('observable')
  @WithTaskQueue()
  observable(@Body() dto: NoteDto): Observable<unknown> {
    this.queue.add((result) => log.push(`task sees ${String(result)}`));
    this.queue.add(() => this.notes.insert({ id: dto.id }));
    return of('first', 'second', 'last');
  }

  @Post('observable-error')
  @WithTaskQueue()
  failing(@Body() dto: NoteDto): Observable<unknown> {
    void this.notes;
    this.queue.add(() => this.notes.insert({ id: dto.id }));
    return concat(
      of('first'),
      throwError(() => new ConflictException('in the stream')),
    );
  }

  @Get('stream')
  @Header('content-type', 'text/plain')
  @WithTaskQueue()
  async stream(): Promise<StreamableFile> {
    await this.notes.insert({ id: 'streamed' });
    const source = Readable.from(
      (function* () {
        yield `in a unit: ${currentUnit() !== undefined}`;
      })(),
    );
    return new StreamableFile(source);
  }

  @Post('transient')
  @WithTaskQueue({ retry: 2 })
  async transient(@Body() dto: NoteDto): Promise<Note> {
    log.push('handler');
    const note = await this.notes.save({ id: dto.id, text: null });
    if (log.filter((line) => line === 'handler').length < 3)
      throw Object.assign(new Error('deadlock'), { code: '40P01' });
    return note;
  }

  @Post('transient-once')
  @WithTaskQueue()
  transientOnce(): never {
    log.push('handler');
    throw Object.assign(new Error('deadlock'), { code: '40P01' });
  }

  @Post('plain')
  plain(): string {
    return `active: ${this.queue.isActive}`;
  }

  @Post('mix/:id')
  @WithTaskQueue()
  async mix(@Param('id') id: string): Promise<{ id: string; tasks: string[] }> {
    const tasks: string[] = [];
    for (let i = 0; i < 5; i++) {
      this.queue.add(async () => {
        tasks.push(id);
        await this.notes.insert({ id: `${id}-${i}` });
        if (i === 4 && Number(id) % 3 === 0) throw new ConflictException(id);
      });
      await this.notes.count();
    }
    return { id, tasks };
  }
}

/** An interceptor of the controller is outside of the unit. */
@Controller('timeout-of-controller')
@UseInterceptors(GiveUp)
class OutsideController {
  constructor(@InjectRepository(Note) private readonly notes: Repository<Note>) {}

  @Post()
  @WithTaskQueue()
  async slow(@Body() dto: NoteDto): Promise<Note> {
    const note = await this.notes.save({ id: dto.id, text: null });
    gate.reached();
    await gate.open;
    return note;
  }
}

describe.each(PLATFORMS)('@WithTaskQueue() on %s routes', (platform) => {
  let running: QueueApp;

  beforeAll(async () => {
    running = await queueApp({
      platform,
      controllers: [NotesController, OutsideController],
      pipes: [new ValidationPipe({ transform: true }), new LogPipe('global pipe')],
    });
  });
  afterEach(async () => {
    log.length = 0;
    gate = { reached: () => undefined, open: Promise.resolve() };
    await running.dataSource.getRepository(Note).deleteAll();
  });
  afterAll(() => running.close());

  const send = (path: string, id: string) => post(`${running.url}/${path}`, { id });

  function hold(): { reached: Promise<void>; open: () => void } {
    let open = (): void => undefined;
    let reach = (): void => undefined;
    const reached = new Promise<void>((resolve) => (reach = resolve));
    gate = { reached: reach, open: new Promise<void>((resolve) => (open = resolve)) };
    return { reached, open };
  }

  it('is open in global, controller, method and parameter pipes and in constraints, and drains after the handler', async () => {
    expect(await send('notes', 'n')).toEqual({ status: 201, body: { id: 'n', text: null } });
    expect(log).toEqual([
      'handler',
      'constraint of n sees {"id":"n","text":null}',
      'global pipe task',
      'controller pipe task',
      'method pipe task',
      'parameter pipe task',
    ]);
    expect(await running.ids()).toEqual(['n']);
  });

  it('runs nothing when a pipe refuses the input', async () => {
    expect((await send('notes', '')).status).toBe(400);
    expect((await send('number/abc', 'n')).status).toBe(400);
    expect(log).toEqual([]);
  });

  it.each(['handler', 'task'])('undoes everything when the %s throws, and answers with its error', async (where) => {
    const { status, body } = await send(`fail/${where}`, 'n');
    expect([status, body]).toEqual([409, { statusCode: 409, message: where, error: 'Conflict' }]);
    expect(await running.ids()).toEqual([]);
  });

  it('gives tasks the handler’s own result where an interceptor wraps it', async () => {
    expect((await send('wrapped', 'n')).body).toEqual({ data: { id: 'n', text: null } });
    expect(log).toContain('constraint of n sees {"id":"n","text":null}');
  });

  it('commits before the response', async () => {
    const held = hold();
    const answer = send('slow', 'n');
    await held.reached;
    held.open();
    expect((await answer).status).toBe(201);
    expect(await running.ids()).toEqual(['n']);
  });

  it('keeps fifty interleaved requests apart, a third of them failing', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => post(`${running.url}/mix/${i}`)));
    const expected = answers.map((_, i) => (i % 3 === 0 ? 409 : 201));
    expect(answers.map(({ status }) => status)).toEqual(expected);
    for (const [i, { body }] of answers.entries()) {
      if (i % 3 !== 0) expect(body).toEqual({ id: `${i}`, tasks: Array(5).fill(`${i}`) });
    }
    const kept = answers.flatMap((_, i) => (i % 3 === 0 ? [] : [0, 1, 2, 3, 4].map((task) => `${i}-${task}`)));
    expect(await running.ids()).toEqual(kept.sort());
  });

  it('leaves undecorated routes alone', async () => {
    const response = await fetch(`${running.url}/plain`, { method: 'POST' });
    expect([response.status, await response.text()]).toEqual([201, 'active: false']);
  });

  // A handler that returns an Observable is torn down by Nest when the connection closes.
  it.each(['slow', 'slow-observable'])('finishes the work of a client that went away (%s)', async (path) => {
    const held = hold();
    const sent = request(`${running.url}/${path}`, { method: 'POST', headers: { 'content-type': 'application/json' } });
    sent.on('error', () => undefined);
    sent.end(JSON.stringify({ id: 'n' }));
    await held.reached;
    // The transaction, and not the savepoint of a decorated method that the handler calls.
    const committed = new Promise<void>((resolve) => {
      running.dataSource.subscribers.push({ afterQuery: ({ query }) => void (query === 'COMMIT' && resolve()) });
    });
    const gone = new Promise((resolve) => sent.on('close', resolve));
    sent.destroy();
    await gone;
    held.open();
    await committed;
    running.dataSource.subscribers.length = 0;
    expect(await running.ids()).toEqual(['n']);
  });

  it.each(['timeout-inside', 'timeout-outside', 'timeout-of-controller'])(
    'rolls back when an interceptor gives up on the handler (%s)',
    async (path) => {
      const held = hold();
      expect(await send(path, 'n')).toMatchObject({ status: 409, body: { message: 'timed out' } });
      held.open();
      expect(await running.ids()).toEqual([]);
    },
  );

  it.each(['caught-inside/promise', 'caught-inside/observable', 'caught-outside/promise'])(
    'rolls back when the handler fails, also where an interceptor answers in its place (%s)',
    async (path) => {
      const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
      onTestFinished(() => warn.mockRestore());
      const { status, body } = await send(path, 'n');
      expect([status, body]).toEqual([201, { caught: 'halfway' }]);
      expect(await running.ids()).toEqual([]);
      expect(log).not.toContain('task');
      const told = warn.mock.calls.map(([message]) => String(message));
      expect(told).toEqual(
        path.startsWith('caught-inside')
          ? [expect.stringMatching(/ was rolled back, and an interceptor answered in its place: .*halfway/)]
          : [],
      );
    },
  );

  it('rolls back when an interceptor answers before the handler is done', async () => {
    const held = hold();
    const { status, body } = await send('caught-in-time', 'n');
    expect([status, body]).toEqual([201, { caught: 'timed out' }]);
    held.open();
    expect(await running.ids()).toEqual([]);
  });

  it('refuses a second attempt of an interceptor in the unit in which the handler has failed', async () => {
    expect((await send('retried-inside', 'n')).status).toBe(500);
    expect(log.filter((line) => line === 'handler')).toHaveLength(1);
    expect(await running.ids()).toEqual([]);
  });

  it('gives each attempt of an interceptor outside of the unit a unit of its own', async () => {
    expect((await send('retried-outside', 'n')).status).toBe(201);
    expect(await running.ids()).toEqual(['n-2']);
  });

  it('drains with the last value of an Observable', async () => {
    const response = await fetch(`${running.url}/observable`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"id":"n"}',
    });
    expect([response.status, await response.text()]).toEqual([201, 'last']);
    expect(log).toContain('task sees last');
    expect(await running.ids()).toEqual(['n']);
  });

  it('rolls back when an Observable fails', async () => {
    expect((await send('observable-error', 'n')).status).toBe(409);
    expect(await running.ids()).toEqual([]);
  });

  it('sends streams after the commit, read outside of the unit', async () => {
    const response = await fetch(`${running.url}/stream`);
    expect([response.status, await response.text()]).toEqual([200, 'in a unit: false']);
    expect(await running.ids()).toEqual(['streamed']);
  });

  it('runs pipes and handler again after a transient failure, as often as asked', async () => {
    expect((await send('transient', 'n')).status).toBe(201);
    expect(log.filter((line) => line === 'handler')).toHaveLength(3);
    expect(log.filter((line) => line.startsWith('constraint'))).toHaveLength(1);
    expect(await running.ids()).toEqual(['n']);
  });

  it('does not run anything again unless asked', async () => {
    expect((await post(`${running.url}/transient-once`)).status).toBe(500);
    expect(log).toEqual(['handler']);
  });

  it('injects one TaskQueue into all requests', () => {
    expect(running.app.get(NotesController)).toHaveProperty('queue', running.queue);
  });
});
