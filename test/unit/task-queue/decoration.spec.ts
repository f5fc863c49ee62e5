import {
  Body,
  Controller,
  Injectable,
  Logger,
  Next,
  Patch,
  Post,
  Query,
  Res,
  SetMetadata,
  Sse,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { of } from 'rxjs';
import { InjectRepository } from '@nestjs/typeorm';
import type { Repository } from 'typeorm';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { DecorationInvalidError } from '../../../lib/errors/setup.errors.js';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { Note, post, queueApp } from '../../support/queue-app.js';

class Dto {
  id!: string;
}

async function boot(controller: Type): Promise<void> {
  const running = await queueApp({ controllers: [controller] });
  await running.close();
}

describe('@WithTaskQueue()', () => {
  afterEach(() => vi.restoreAllMocks());

  it('refuses classes, static methods and properties, and says how to mend that', () => {
    const decorate = WithTaskQueue() as (...args: unknown[]) => void;
    class Anything {
      static make(): void {}
      arrow = (): void => undefined;
    }
    expect(() => decorate(Anything)).toThrow(DecorationInvalidError);
    expect(() => decorate(Anything)).toThrow(
      '@WithTaskQueue() on class Anything: it goes on instance methods, not on classes or static methods.',
    );
    const make = Object.getOwnPropertyDescriptor(Anything, 'make');
    expect(() => decorate(Anything, 'make', make)).toThrow(/Anything\.make: .*not on classes or static methods/);
    for (const descriptor of [undefined, { get: () => undefined }])
      expect(() => decorate(Anything.prototype, 'arrow', descriptor)).toThrow(
        '@WithTaskQueue() on Anything.arrow: it goes on methods, not on properties. Make the arrow function a method.',
      );
  });

  it('keeps the name, the length and the metadata of the method, whichever order the decorators stand in', () => {
    class Guard {}
    class Marked {
      @WithTaskQueue()
      @SetMetadata('below', 1)
      below(_a: string, _b: string): void {}

      @SetMetadata('above', 2)
      @UseGuards(Guard as never)
      @WithTaskQueue()
      above(_a: string): void {}
    }
    const { below, above } = Marked.prototype;
    expect([below.name, below.length, Reflect.getMetadata('below', below)]).toEqual(['below', 2, 1]);
    expect([above.name, above.length, Reflect.getMetadata('above', above)]).toEqual(['above', 1, 2]);
  });

  it.each([
    [
      '@Sse()',
      'an @Sse() stream leaves before the commit and may never end. Queue the work on another route.',
      Sse('route'),
      undefined,
    ],
    [
      '@Res()',
      'with @Res() the response leaves before the commit. Return the result, or use @Res({ passthrough: true }).',
      Post('route'),
      Res(),
    ],
    [
      '@Next()',
      'with @Next() what comes after would run beside the unit of work. Return the result.',
      Post('route'),
      Next(),
    ],
  ] as const)('stops the boot beside %s', async (_, message, route, parameter) => {
    @Controller()
    class Streams {
      route(_argument: unknown): unknown {
        return of(1);
      }
    }
    const descriptor = Object.getOwnPropertyDescriptor(Streams.prototype, 'route') as PropertyDescriptor;
    parameter?.(Streams.prototype, 'route', 0);
    WithTaskQueue()(Streams.prototype, 'route', descriptor as TypedPropertyDescriptor<() => unknown>);
    route(Streams.prototype, 'route', descriptor);
    Object.defineProperty(Streams.prototype, 'route', descriptor);
    const refused = boot(Streams);
    await expect(refused).rejects.toThrow(DecorationInvalidError);
    await expect(refused).rejects.toMatchObject({ message: `@WithTaskQueue() on Streams.route: ${message}` });
  });

  it('stops the boot on an inherited route that takes @Res()', async () => {
    class Base {
      @Patch()
      @WithTaskQueue()
      update(@Res() _response: unknown): void {}
    }
    @Controller()
    class Derived extends Base {}
    await expect(boot(Derived)).rejects.toThrow(/Derived\.update: with @Res\(\)/);
  });

  const GENERATOR =
    'the body of a generator runs when its values are read, which is after the commit. ' +
    'Return a promise of a list, or decorate the method that writes.';

  it('stops the boot on a generator of a controller or a provider', async () => {
    @Controller()
    class Exports {
      @Post()
      @WithTaskQueue()
      async *rows(): AsyncGenerator<number> {
        yield 1;
      }
    }
    @Injectable()
    class Provider {
      @WithTaskQueue()
      *values(): Generator<number> {
        yield 1;
      }
    }
    const message = (place: string) => `@WithTaskQueue() on ${place}: ${GENERATOR}`;
    await expect(boot(Exports)).rejects.toMatchObject({ message: message('Exports.rows') });
    await expect(queueApp({ providers: [Provider] })).rejects.toMatchObject({ message: message('Provider.values') });
  });

  it('is allowed on a generator of a GraphQL subscription', async () => {
    @Injectable()
    class Resolver {
      @SetMetadata('graphql:resolver_type', 'Subscription')
      @WithTaskQueue()
      async *counts(): AsyncGenerator<number> {
        yield 1;
      }
    }
    const running = await queueApp({ providers: [Resolver] });
    onTestFinished(() => running.close());
    const counts = await running.app.get(Resolver).counts();
    expect(await counts.next()).toEqual({ done: false, value: 1 });
  });

  it('refuses a generator that another method made, and rolls back', async () => {
    async function* rows(): AsyncGenerator<number> {
      yield 1;
    }
    @Controller()
    class Exports {
      @Post('rows')
      @WithTaskQueue()
      async rows(): Promise<unknown> {
        await this.notes.insert({ id: 'n' });
        return rows();
      }

      constructor(@InjectRepository(Note) private readonly notes: Repository<Note>) {}
    }
    const running = await queueApp({ controllers: [Exports] });
    onTestFinished(() => running.close());
    await expect(running.app.get(Exports).rows()).rejects.toThrow(`@WithTaskQueue() on Exports.rows: ${GENERATOR}`);
    expect((await post(`${running.url}/rows`)).status).toBe(500);
    expect(await running.ids()).toEqual([]);
  });

  it('is allowed beside @Res({ passthrough: true })', async () => {
    @Controller()
    class Passing {
      @Post()
      @WithTaskQueue()
      create(@Res({ passthrough: true }) _response: unknown): string {
        return 'ok';
      }
    }
    await expect(boot(Passing)).resolves.toBeUndefined();
  });

  it('warns at boot about an untyped body, and only about that', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn');
    @Controller()
    class Bodies {
      @Post('untyped')
      @WithTaskQueue()
      untyped(@Body() _dto: Partial<Dto>): void {}

      @Post('typed')
      @WithTaskQueue()
      typed(@Body() _dto: Dto, @Query() _query: Record<string, string>): void {}

      @Post('part')
      @WithTaskQueue()
      part(@Body('id') _id: string): void {}

      @Post('undecorated')
      undecorated(@Body() _dto: Partial<Dto>): void {}
    }
    await boot(Bodies);
    const warnings = warn.mock.calls
      .map(([message]) => String(message))
      .filter((message) => /@WithTaskQueue/.test(message));
    expect(warnings).toEqual([
      'Bodies.untyped has @WithTaskQueue() and an untyped @Body(): pipes do not validate it, so no file is transferred. ' +
        'Give the parameter a DTO class.',
    ]);
  });

  it('lets a test without FilesModule build a decorated provider', async () => {
    @Injectable()
    class Provider {
      @WithTaskQueue()
      method(): void {}
    }
    const module = await Test.createTestingModule({ providers: [Provider] }).compile();
    await expect(module.get(Provider).method()).rejects.toThrow(
      'Provider.method was called on an object that Nest did not make, or without FilesModule, outside of a unit of work.',
    );
    await module.close();
  });

  it('refuses an Observable to a direct caller, and rolls back', async () => {
    @Injectable()
    class Provider {
      @WithTaskQueue()
      values(): unknown {
        return of(1);
      }
    }
    const running = await queueApp({ providers: [Provider] });
    await expect(running.app.get(Provider).values()).rejects.toThrow(
      '@WithTaskQueue() on Provider.values: it returned an Observable to a direct caller, which would read it after the commit. ' +
        'Return a promise of its values.',
    );
    await running.close();
  });
});
