import { Body, Controller, Post, Query } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DecorationInvalidError } from '../../../../lib/errors/setup.errors.js';
import { WithTaskQueue } from '../../../../lib/task-queue/with-task-queue.decorator.js';
import { fileExists } from '../../../../lib/validation/schema/rules.js';
import { withFiles } from '../../../../lib/validation/schema/with-files.js';
import { startApp } from '../../../support/http-app.js';
import { isNest11 } from '../../../support/versions.js';

const Plain = z.object({ name: z.string() });
const Looking = withFiles(z.object({ fileId: z.string() }), { fileId: fileExists() });

@Controller('decorated')
class DecoratedController {
  @Post() @WithTaskQueue() save(@Body({ schema: Plain } as never) _dto: object): void {}
}

@Controller('looking')
class LookingController {
  @Post() look(@Query('part', { schema: Looking } as never) _part: object): void {}
}

@Controller('plain')
class PlainController {
  @Post() save(@Body({ schema: Plain } as never) _dto: object): void {}
}

// Nest 11 has no schemas.
describe.runIf(isNest11)('a parameter with { schema } on Nest 11', () => {
  const start = (controller: Type) => startApp({ controllers: [controller] });

  it.each([
    ['of a decorated handler', DecoratedController, 'DecoratedController.save'],
    ['that names files', LookingController, 'LookingController.look'],
  ])('stops the boot with advice: %s', async (_, controller, place) => {
    const booted = start(controller);
    await expect(booted).rejects.toBeInstanceOf(DecorationInvalidError);
    await expect(booted).rejects.toThrow(`{ schema } on ${place}: Nest 11 has no schemas`);
  });

  it('is ignored where it is none of the library’s business', async () => {
    await expect(start(PlainController)).resolves.toBeDefined();
  });
});
