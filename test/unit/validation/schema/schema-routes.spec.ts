import {
  Body,
  Controller,
  Injectable,
  Logger,
  Post,
  Query,
  Scope,
  StandardSchemaValidationPipe,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import type { INestApplication, Provider, Type } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { afterEach, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { WithTaskQueue } from '../../../../lib/task-queue/with-task-queue.decorator.js';
import { fileExists, transferOwnership } from '../../../../lib/validation/schema/rules.js';
import { withFiles } from '../../../../lib/validation/schema/with-files.js';
import { startApp } from '../../../support/http-app.js';

const Plain = z.object({ name: z.string() });
const Looking = withFiles(z.object({ fileId: z.string() }), { fileId: fileExists() });
const Taking = withFiles(z.object({ parts: z.array(z.object({ fileId: z.string() })) }), {
  parts: { fileId: transferOwnership('package') },
});

@Injectable()
class OwnPipe extends StandardSchemaValidationPipe {}

@Controller('bodies')
class BodiesController {
  @Post('plain')
  plain(@Body({ schema: Plain }) _dto: object): void {}

  @Post('plain-decorated')
  @WithTaskQueue()
  plainDecorated(@Body({ schema: Plain }) _dto: object): void {}

  @Post('looking')
  looking(@Query({ schema: Looking }) _dto: object): void {}

  @Post('taking')
  @WithTaskQueue()
  taking(@Body({ schema: Taking }) _dto: object): void {}

  @Post('on-parameter')
  @WithTaskQueue()
  onParameter(@Body({ schema: Taking, pipes: [new OwnPipe()] }) _dto: object): void {}

  @Post('on-method')
  @UsePipes(OwnPipe)
  @WithTaskQueue()
  onMethod(@Body({ schema: Taking }) _dto: object): void {}
}

@UsePipes(StandardSchemaValidationPipe)
@Controller('forgotten')
class ForgottenController {
  @Post()
  forgotten(@Body({ schema: withFiles(Taking, {}) }) _dto: object): void {}

  @Post('query')
  query(@Query({ schema: Looking }) _dto: object, @Query('part', { schema: Taking }) _part: unknown): void {}
}

afterEach(() => vi.restoreAllMocks());

async function warnings(controller: Type, prepare?: (app: INestApplication) => void, providers: Provider[] = []) {
  const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  await startApp({ controllers: [controller], providers, ...(prepare && { prepare }) });
  return warn.mock.calls.map(([message]) => String(message));
}

const lacksPipe = (method: string) =>
  `BodiesController.${method} has a parameter with { schema }, but no StandardSchemaValidationPipe: nothing is validated, and no file is ` +
  'checked or transferred. Put app.useGlobalPipes(new StandardSchemaValidationPipe()) into the bootstrap, or the pipe on the route.';

it.each([
  ['no pipe', () => undefined],
  ['another pipe', (app: INestApplication) => void app.useGlobalPipes(new ValidationPipe())],
])('warns at boot about unread schemas, where there are files or a unit of work: %s', async (_, prepare) => {
  const found = ['plainDecorated', 'looking', 'taking'].map(lacksPipe);
  expect(await warnings(BodiesController, prepare)).toEqual(found);
});

it('is content with the pipe, or one that extends it, for the whole application', async () => {
  expect(await warnings(BodiesController, (app) => void app.useGlobalPipes(new OwnPipe()))).toEqual([]);
});

it('is content with the pipe as a provider', async () => {
  const pipe = { provide: APP_PIPE, useClass: StandardSchemaValidationPipe };
  expect(await warnings(BodiesController, undefined, [pipe])).toEqual([]);
});

it('is content with the pipe as a provider of each request', async () => {
  const pipe = { provide: APP_PIPE, useClass: OwnPipe, scope: Scope.REQUEST };
  expect(await warnings(BodiesController, undefined, [pipe])).toEqual([]);
});

it('warns at boot about schemas that transfer files on a route without a unit of work', async () => {
  expect(await warnings(ForgottenController)).toEqual(
    ['forgotten', 'query'].map(
      (method) =>
        `ForgottenController.${method} has a schema with transferOwnership() but lacks @WithTaskQueue(): put it on the handler.`,
    ),
  );
});
