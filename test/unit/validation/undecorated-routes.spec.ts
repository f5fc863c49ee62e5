import { Body, Controller, Logger, Post } from '@nestjs/common';
import { Type } from 'class-transformer';
import { ValidateNested } from 'class-validator';
import { expect, it, vi } from 'vitest';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { TransferOwnership } from '../../../lib/validation/file-constraints.js';
import { startApp } from '../../support/http-app.js';

class ItemDto {
  @TransferOwnership('item') fileId!: string;
}

class ListDto {
  @ValidateNested({ each: true }) @Type(() => ItemDto) items!: ItemDto[];
}

class PlainDto {
  name!: string;
}

@Controller('lists')
class ListsController {
  @Post('forgotten')
  forgotten(@Body() _dto: ListDto): void {}

  @Post('decorated')
  @WithTaskQueue()
  decorated(@Body() _dto: ListDto): void {}

  @Post('plain')
  plain(@Body() _dto: PlainDto): void {}
}

it('warns at boot about a body with @TransferOwnership(), also nested, on a route without a unit of work', async () => {
  const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  await startApp({ controllers: [ListsController] });
  const warnings = warn.mock.calls.map(([message]) => String(message));
  expect(warnings).toEqual([
    'ListsController.forgotten takes a body with @TransferOwnership() but lacks @WithTaskQueue(): put it on the handler.',
  ]);
});
