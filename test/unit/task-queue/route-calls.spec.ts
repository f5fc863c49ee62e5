import { tracingChannel } from 'node:diagnostics_channel';
import {
  type CallHandler,
  ConflictException,
  Controller,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  Param,
  type PipeTransform,
  Post,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { InjectRepository } from '@nestjs/typeorm';
import { defer, from, Observable, of, takeUntil, throwIfEmpty, toArray } from 'rxjs';
import { Repository } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { FILES_CHANNELS } from '../../../lib/diagnostics/traces.js';
import { TaskQueueMissingError } from '../../../lib/errors/units.errors.js';
import { addTask, TaskQueue } from '../../../lib/task-queue/task-queue.js';
import { CallPreparation, type PreparedCall } from '../../../lib/task-queue/call-preparation.js';
import type { Abandonment } from '../../../lib/task-queue/call-preparation.js';
import { TaskQueueInterceptor } from '../../../lib/task-queue/task-queue.interceptor.js';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { currentUnit } from '../../../lib/unit-of-work/unit-of-work.js';
import { type Gate, gate } from '../../support/gate.js';
import { Note, post, queueApp, type QueueApp } from '../../support/queue-app.js';

let log: string[];
const note = (what: string): void => void log.push(`${what} ${currentUnit() ? 'inside' : 'outside'}`);

/** What the application under test does at a place. */
let prepare: (abandonment: Abandonment) => Promise<PreparedCall> | undefined;
let handle: () => unknown;
let givingUp: Gate;

@Injectable()
class Preparation extends CallPreparation {
  override prepare(_context: ExecutionContext, abandonment: Abandonment): Promise<PreparedCall> | undefined {
    return prepare(abandonment);
  }
}

@Injectable()
class GivesUp implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      takeUntil(defer(() => from(givingUp.opened))),
      throwIfEmpty(() => new ConflictException('gave up')),
    );
  }
}

@Injectable()
class ToArray implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(toArray());
  }
}

@Injectable()
class QueuesTask implements PipeTransform<string> {
  transform(id: string): string {
    addTask((result) => void log.push(`task sees ${String(result)}`));
    return id;
  }
}

/** Another library's decorator, which answers by itself. */
function Answers(answer: string): MethodDecorator {
  return (_target, _key, descriptor) => {
    const { value } = descriptor as PropertyDescriptor;
    const replaced = (): Promise<string> => Promise.resolve(answer);
    for (const key of Reflect.getMetadataKeys(value as object) as unknown[]) {
      Reflect.defineMetadata(key, Reflect.getMetadata(key, value as object), replaced);
    }
    Object.assign(descriptor, { value: replaced });
  };
}

@Injectable()
class Counter {
  constructor(@InjectRepository(Note) private readonly notes: Repository<Note>) {}

  @WithTaskQueue()
  async count(id: string): Promise<string> {
    await this.notes.insert({ id: `${id} counted` });
    return id;
  }
}

@Injectable()
class Counting implements PipeTransform<string> {
  constructor(private readonly counter: Counter) {}

  transform(id: string): Promise<string> {
    return this.counter.count(id);
  }
}

@Controller()
class CallsController {
  constructor(
    private readonly queue: TaskQueue,
    @InjectRepository(Note) private readonly notes: Repository<Note>,
  ) {}

  @Post('call')
  @WithTaskQueue({ retry: 2 })
  @UseInterceptors(GivesUp)
  async call(): Promise<unknown> {
    note('handler');
    this.queue.add(() => note('task'));
    await this.notes.insert({ id: 'own' });
    return handle();
  }

  @Post('values')
  @WithTaskQueue()
  @UseInterceptors(ToArray)
  values(): Observable<number> {
    return of(1, 2, 3);
  }

  @Post('replaced/:id')
  @UsePipes(QueuesTask)
  @Answers('by another')
  @WithTaskQueue()
  replaced(@Param('id') _id: string): string {
    return 'its own';
  }

  @Post('counted/:id')
  @UsePipes(Counting)
  @WithTaskQueue()
  async counted(@Param('id') id: string): Promise<string> {
    this.queue.add((result: unknown) => this.notes.insert({ id: `task of ${String(result)}` }));
    await this.notes.insert({ id });
    return id;
  }

  @Post('again')
  @WithTaskQueue()
  async again(depth = 0): Promise<number> {
    await this.notes.insert({ id: `depth ${depth}` });
    if (depth === 0) await this.again(1).catch(() => undefined);
    if (depth === 1) throw new Error('undone alone');
    return depth;
  }
}

describe('the call of a decorated route', () => {
  let running: QueueApp;

  beforeAll(async () => {
    running = await queueApp({
      controllers: [CallsController],
      providers: [Counter, { provide: CallPreparation, useClass: Preparation }],
    });
  });
  beforeEach(() => {
    log = [];
    prepare = () => undefined;
    handle = () => ({ done: true });
    givingUp = gate();
  });
  afterEach(() => running.dataSource.getRepository(Note).deleteAll());
  afterAll(() => running.close());

  const send = (path = 'call') => post(`${running.url}/${path}`);

  /** A call that is ready, and says what happens to it. */
  const ready: PreparedCall = {
    beforeCommit: () => note('before the commit'),
    end: async () => note(`end with [${(await running.ids()).join()}]`),
  };
  const refused = new ConflictException('refused');

  describe('with a hook', () => {
    it('runs the hook outside of its unit of work, tells it of the commit inside, and of the end once it is saved', async () => {
      prepare = () => {
        note('prepared');
        return Promise.resolve(ready);
      };
      expect((await send()).status).toBe(201);
      expect(log).toEqual([
        'prepared outside',
        'handler inside',
        'task inside',
        'before the commit inside',
        'end with [own] outside',
      ]);
    });

    it('is rolled back by an error before its commit, and tells the hook of its end', async () => {
      prepare = () =>
        Promise.resolve({
          ...ready,
          beforeCommit: () => {
            throw refused;
          },
        });
      expect(await send()).toMatchObject({ status: 409, body: { message: 'refused' } });
      expect(log).toEqual(['handler inside', 'task inside', 'end with [] outside']);
    });

    it('tells the hook of the commit of each attempt, and of one end', async () => {
      let attempts = 0;
      prepare = () =>
        Promise.resolve({
          ...ready,
          beforeCommit: () => {
            if (++attempts < 3) throw Object.assign(new Error('deadlock'), { code: '40P01' });
          },
        });
      expect((await send()).status).toBe(201);
      expect(attempts).toBe(3);
      expect(log.filter((line) => line.startsWith('end'))).toEqual(['end with [own] outside']);
    });

    it.each([
      ['rejects', () => Promise.reject(refused)],
      [
        'throws',
        () => {
          throw refused;
        },
      ],
    ])('answers with the error of a hook that %s, and skips the handler', async (_, fail) => {
      prepare = fail;
      expect(await send()).toMatchObject({ status: 409, body: { message: 'refused' } });
      expect(log).toEqual([]);
    });

    it('does not run once it is given up, and comes to its end', async () => {
      const [begun, goOn, ended] = [gate(), gate(), gate()];
      const reasons: string[] = [];
      prepare = async (abandonment) => {
        abandonment.whenAbandoned(({ message }) => reasons.push(message));
        begun.open();
        await goOn.opened;
        return { ...ready, end: () => Promise.resolve(ended.open()) };
      };
      const answer = send();
      await begun.opened;
      givingUp.open();
      expect(await answer).toMatchObject({ status: 409, body: { message: 'gave up' } });
      expect(reasons).toEqual(['An outer interceptor gave up on the handler']);
      goOn.open();
      await ended.opened;
      expect(log).toEqual([]);
    });

    it('cannot be given up once it is over, however it ended', async () => {
      prepare = (abandonment) => {
        abandonment.whenAbandoned(() => note('given up'));
        return Promise.resolve(ready);
      };
      handle = () => Promise.reject(refused);
      expect((await send()).status).toBe(409);
      handle = () => ({});
      expect((await send()).status).toBe(201);
      expect(log.filter((line) => line.startsWith('given up'))).toEqual([]);
    });
  });

  it('is rolled back when it is given up, and reads no more of what its handler emits', async () => {
    const [handling, torn] = [gate(), gate()];
    handle = () =>
      new Observable(() => {
        handling.open();
        return torn.open;
      });
    const failure = new Promise<unknown>((resolve) => {
      const channel = tracingChannel(FILES_CHANNELS.unit);
      const ignore = (): void => undefined;
      const subscribers = {
        start: ignore,
        end: ignore,
        asyncStart: ignore,
        asyncEnd: ignore,
        error: ({ error }: { error: unknown }) => resolve(error),
      };
      channel.subscribe(subscribers);
      onTestFinished(() => channel.unsubscribe(subscribers));
    });
    const answer = send();
    await handling.opened;
    givingUp.open();
    expect((await answer).status).toBe(409);
    await torn.opened;
    expect(await failure).toMatchObject({
      message: 'The unit of work was rolled back: its caller gave up before it was done.',
      cause: { message: 'An outer interceptor gave up on the handler' },
    });
    expect(await running.ids()).toEqual([]);
  });

  it('gives outer interceptors all that its handler emits', async () => {
    expect((await send('values')).body).toEqual([1, 2, 3]);
  });

  it('gives tasks the final result where another decorator answers in place of the method', async () => {
    const response = await fetch(`${running.url}/replaced/n`, { method: 'POST' });
    expect([await response.text(), log]).toEqual(['by another', ['task sees by another']]);
  });

  it('is not confused with that of a decorated method that a pipe calls', async () => {
    await fetch(`${running.url}/counted/n`, { method: 'POST' });
    expect(await running.ids()).toEqual(['n', 'n counted', 'task of n']);
  });

  it('includes a call that the handler makes of itself', async () => {
    await fetch(`${running.url}/again`, { method: 'POST' });
    expect(await running.ids()).toEqual(['depth 0']);
  });
});

describe('the interceptor of decorated routes', () => {
  class Anything {
    @WithTaskQueue() decorated(): void {}
    plain(): void {}
  }
  const next: CallHandler = { handle: () => of('handled') };
  const context = (handler: 'decorated' | 'plain') =>
    new ExecutionContextHost([], Anything, Anything.prototype[handler]);

  it('leaves other handlers alone', () => {
    const values: unknown[] = [];
    new TaskQueueInterceptor().intercept(context('plain'), next).subscribe((value) => values.push(value));
    expect(values).toEqual(['handled']);
  });

  it('names FilesModule where it is missing', () => {
    const intercept = () => new TaskQueueInterceptor().intercept(context('decorated'), next);
    expect(intercept).toThrow(TaskQueueMissingError);
    expect(intercept).toThrow(
      '@WithTaskQueue() on Anything.decorated needs FilesModule: import FilesModule.forRoot() in the root module.',
    );
  });
});
