import { Catch, Controller, Get, HttpException, UseFilters } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost } from '@nestjs/core';
import { ClientProxyFactory, MessagePattern, Transport } from '@nestjs/microservices';
import type { Server } from 'node:net';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FileNotFoundError, ValidationFailedError } from '../../../lib/errors/files.errors.js';
import { TaskQueueMissingError } from '../../../lib/errors/units.errors.js';
import { PLATFORMS, startApp } from '../../support/http-app.js';

@Controller('errors')
class Errors {
  @Get('missing')
  missing(): void {
    throw new FileNotFoundError('7');
  }
  @Get('late')
  late(): void {
    throw new ValidationFailedError(['resources.0.fileId: The file is protected and cannot be used here']);
  }
  @Get('fault')
  fault(): void {
    throw new TaskQueueMissingError();
  }
  @MessagePattern('missing')
  message(): void {
    throw new FileNotFoundError('7');
  }
}

/** As the documentation of Nest shows one. */
@Catch()
class AllExceptions implements ExceptionFilter {
  constructor(private readonly adapters: HttpAdapterHost) {}
  catch(exception: unknown, host: ArgumentsHost): void {
    const status = exception instanceof HttpException ? exception.getStatus() : 500;
    this.adapters.httpAdapter.reply(host.switchToHttp().getResponse(), { own: status }, status);
  }
}

describe.each(PLATFORMS)('errors of the library on %s', (platform) => {
  it('have a status, a code and a message', async () => {
    const app = await startApp({ platform, controllers: [Errors] });
    const response = await app.fetch('/errors/missing');
    expect([response.status, await response.json()]).toEqual([
      404,
      {
        statusCode: 404,
        code: 'FILES_FILE_NOT_FOUND',
        message: 'There is no file with the id "7".',
        error: 'Not Found',
      },
    ]);
  });

  it('look like validation when the request is at fault', async () => {
    const app = await startApp({ platform, controllers: [Errors] });
    const response = await app.fetch('/errors/late');
    expect([response.status, await response.json()]).toEqual([
      400,
      {
        statusCode: 400,
        code: 'FILES_VALIDATION_FAILED',
        message: ['resources.0.fileId: The file is protected and cannot be used here'],
        error: 'Bad Request',
      },
    ]);
  });

  it('hide the faults of the application from clients', async () => {
    const app = await startApp({ platform, controllers: [Errors] });
    const response = await app.fetch('/errors/fault');
    expect([response.status, await response.json()]).toEqual([
      500,
      {
        statusCode: 500,
        code: 'FILES_TASK_QUEUE_MISSING',
        message: 'Internal Server Error',
        error: 'Internal Server Error',
      },
    ]);
  });

  it('take the form of the application that has a filter for everything', async () => {
    const providers = [{ provide: APP_FILTER, useClass: AllExceptions }];
    const app = await startApp({ platform, controllers: [Errors], providers });
    const response = await app.fetch('/errors/missing');
    expect([response.status, await response.json()]).toEqual([404, { own: 404 }]);
    const missing = await app.fetch('/files/7', { user: 'anna' });
    expect([missing.status, await missing.json()]).toEqual([404, { own: 404 }]);
  });

  it('reach a filter of the route first', async () => {
    @Catch(FileNotFoundError)
    class Teapot extends AllExceptions {
      override catch(_: unknown, host: ArgumentsHost): void {
        super.catch(new HttpException('teapot', 418), host);
      }
    }
    @Controller('own')
    class Own extends Errors {
      @Get('missing')
      @UseFilters(Teapot)
      override missing(): void {
        super.missing();
      }
    }
    const app = await startApp({ platform, controllers: [Own], providers: [Teapot] });
    expect((await app.fetch('/own/missing')).status).toBe(418);
  });
});

describe('errors of the library in message handlers', () => {
  it('reach the client with their code, and the server lives on', async () => {
    let port = 0;
    await startApp({
      controllers: [Errors],
      prepare: async (app) => {
        const service = app.connectMicroservice(
          { transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } },
          { inheritAppConfig: true },
        );
        await app.startAllMicroservices();
        ({ port } = service.unwrap<Server>().address() as { port: number });
      },
    });
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options: { host: '127.0.0.1', port } });
    onTestFinished(() => client.close());
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(firstValueFrom(client.send('missing', {}))).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND' });
    }
  });
});
