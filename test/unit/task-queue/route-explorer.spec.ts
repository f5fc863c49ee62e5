import { Body, Controller, createParamDecorator, Get, Next, Post, Query, Res, Sse, UsePipes } from '@nestjs/common';
import type { PipeTransform } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { Injectable, Scope } from '@nestjs/common';
import { of } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Route, RouteExplorer } from '../../../lib/task-queue/route-explorer.js';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { queueApp, type QueueApp } from '../../support/queue-app.js';
import { isNest11 } from '../../support/versions.js';

class Pass implements PipeTransform {
  transform(value: unknown): unknown {
    return value;
  }
}
class OnController extends Pass {}
class OnMethod extends Pass {}
class OnParameter extends Pass {}
@Injectable()
class OfEachRequest extends Pass {}
const forAll = new Pass();

const User = createParamDecorator(() => 'ada');
const schema = z.object({ id: z.string() });

class Dto {
  id!: string;
}

@Controller('all')
@UsePipes(OnController)
class RoutesController {
  helper(): void {}

  @Get() plain(): void {}
  @Post('decorated') @WithTaskQueue() decorated(@Body() _dto: Dto, @Query() _query: Dto): void {}
  @Post('part') part(@Body('id') _id: string, @User() _user: Dto): void {}
  @Sse('events') events(): unknown {
    return of(1);
  }
  @Get('res') res(@Res() _response: unknown): void {}
  @Get('passing') passing(@Res({ passthrough: true }) _response: unknown): void {}
  @Get('next') next(@Next() _next: unknown): void {}
  @Post('schema')
  @UsePipes(OnMethod)
  schema(@Body({ schema }) _dto: Dto, @Query({ schema, pipes: [OnParameter] }) _query: Dto): void {}
}

describe('the explorer of routes', () => {
  let running: QueueApp;
  let routes: Record<string, Route>;

  beforeAll(async () => {
    running = await queueApp({
      controllers: [RoutesController],
      providers: [{ provide: APP_PIPE, useClass: OfEachRequest, scope: Scope.REQUEST }],
      pipes: [forAll],
    });
    const found = running.app.get(RouteExplorer, { strict: false }).routes();
    routes = Object.fromEntries(found.map((route) => [route.place.replace('RoutesController.', ''), route]));
  });
  afterAll(() => running.close());

  const having = (is: (route: Route) => boolean): string[] =>
    Object.keys(routes).filter((name) => is(routes[name] as Route));

  it('finds the methods that are routes', () => {
    expect(Object.keys(routes)).toEqual(['plain', 'decorated', 'part', 'events', 'res', 'passing', 'next', 'schema']);
    expect(routes['plain']?.handler).toBe(RoutesController.prototype.plain);
  });

  it('tells how each of them answers', () => {
    expect(having(({ isDecorated }) => isDecorated)).toEqual(['decorated']);
    expect(having(({ isSse }) => isSse)).toEqual(['events']);
    expect(having(({ takesResponse }) => takesResponse)).toEqual(['res']);
    expect(having(({ takesNext }) => takesNext)).toEqual(['next']);
  });

  it('tells the types of whole bodies without a schema, and of nothing else', () => {
    expect(having(({ bodyTypes }) => bodyTypes.length > 0)).toEqual(['decorated']);
    expect(routes['decorated']?.bodyTypes).toEqual([Dto]);
  });

  it('tells the schemas, with all pipes that they go through', () => {
    expect(having(({ schemas }) => schemas.length > 0)).toEqual(['schema']);
    const pipes = [forAll, OfEachRequest, OnController, OnMethod];
    expect(routes['schema']?.schemas.map((parameter) => parameter.schema)).toEqual([schema, schema]);
    // Nest 11 takes the options for one more pipe.
    if (isNest11) return;
    expect(routes['schema']?.schemas).toEqual(
      expect.arrayContaining([
        { schema, pipes },
        { schema, pipes: [...pipes, OnParameter] },
      ]),
    );
  });
});
