import { Catch, Controller, Get, HttpException, Injectable, Logger, Module, Param, UseFilters } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter, INestApplication, PipeTransform } from '@nestjs/common';
import { APP_FILTER, BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { FileNotFoundError } from '../../../lib/errors/files.errors.js';
import { TaskQueueMissingError } from '../../../lib/errors/units.errors.js';
import { RequireFileAccess } from '../../../lib/access/require-file-access.decorator.js';
import { TaskQueue } from '../../../lib/task-queue/task-queue.js';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { PLATFORMS, startApp } from '../../support/http-app.js';
import type { HttpApp, Platform } from '../../support/http-app.js';

@Injectable()
class RefusingPipe implements PipeTransform {
  transform(id: string): never {
    throw new FileNotFoundError(id);
  }
}

@Controller('calls')
class Calls {
  constructor(private readonly queue: TaskQueue) {}

  @Get('handler/:id')
  handler(@Param('id') id: string): void {
    throw new FileNotFoundError(id);
  }
  @Get('pipe/:id')
  pipe(@Param('id', RefusingPipe) id: string): string {
    return id;
  }
  @Get('guard/:id')
  @RequireFileAccess('read', 'id')
  guarded(@Param('id') id: string): string {
    return id;
  }
  @Get('drain/:id')
  @WithTaskQueue()
  drain(@Param('id') id: string): string {
    this.queue.add(() => {
      throw new FileNotFoundError(id);
    });
    return id;
  }
  @Get('fault/:id')
  fault(): void {
    throw new TaskQueueMissingError();
  }
}

/** As the documentation of Nest shows one. */
@Catch()
class AllExceptions implements ExceptionFilter {
  constructor(private readonly adapters: HttpAdapterHost) {}
  catch(exception: unknown, host: ArgumentsHost): void {
    const { httpAdapter } = this.adapters;
    const status = exception instanceof HttpException ? exception.getStatus() : 500;
    const answer: unknown = exception instanceof HttpException ? exception.getResponse() : 'unknown';
    httpAdapter.reply(host.switchToHttp().getResponse(), { answer, by: 'the application' }, status);
  }
}

@Catch()
class Inherited extends BaseExceptionFilter {
  override catch(exception: unknown, host: ArgumentsHost): void {
    super.catch(exception, host);
  }
}

@Module({ providers: [{ provide: APP_FILTER, useClass: AllExceptions }] })
class FilterModule {}

@UseFilters(AllExceptions)
class FilteredCalls extends Calls {}
Controller('calls')(FilteredCalls);

type Start = (platform: Platform) => Promise<HttpApp>;

const prepared =
  (prepare: (app: INestApplication) => void): Start =>
  (platform) =>
    startApp({ platform, controllers: [Calls], prepare });

const FILTERS: [string, Start][] = [
  ['none', prepared(() => {})],
  ['one for everything', prepared((app) => app.useGlobalFilters(new AllExceptions(app.get(HttpAdapterHost))))],
  ['a subclass of Nest’s', prepared((app) => app.useGlobalFilters(new Inherited(app.getHttpAdapter())))],
  ['one of an imported module', (platform) => startApp({ platform, controllers: [Calls], imports: [FilterModule] })],
  ['one of the controller', (platform) => startApp({ platform, controllers: [FilteredCalls] })],
];

describe.each(PLATFORMS)('errors of the library on %s', (platform) => {
  it.each(FILTERS)(
    'have their status and code wherever they are thrown, with a filter like this: %s',
    async (_, start) => {
      const app = await start(platform);
      const answers = await Promise.all(
        ['/files/7', '/calls/handler/7', '/calls/pipe/7', '/calls/guard/7', '/calls/drain/7'].map(async (path) => {
          const response = await app.fetch(path, { user: 'anna' });
          return [path, response.status, /"code":"(\w+)"/.exec(await response.text())?.[1]];
        }),
      );
      expect(answers.map(([, ...answer]) => answer)).toEqual(answers.map(() => [404, 'FILES_FILE_NOT_FOUND']));
    },
  );

  it.each(FILTERS.slice(0, 4))(
    'are logged where the server is at fault, with a filter like this: %s',
    async (_, start) => {
      const logged: unknown[] = [];
      const log = vi.spyOn(Logger.prototype, 'error').mockImplementation((message) => void logged.push(message));
      onTestFinished(() => log.mockRestore());
      const app = await start(platform);
      const response = await app.fetch('/calls/fault/7');
      expect([response.status, /"code":"(\w+)"/.exec(await response.text())?.[1]]).toEqual([
        500,
        'FILES_TASK_QUEUE_MISSING',
      ]);
      expect(logged).toEqual([expect.any(TaskQueueMissingError)]);
    },
  );
});
