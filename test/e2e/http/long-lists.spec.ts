import { Body, Controller, Post, ValidationPipe } from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { IsOptional } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { AcceptFileType, FileExists, TransferOwnership, WithTaskQueue } from '../../../lib/index.js';
import type { FilesModuleOptions } from '../../../lib/index.js';
import { PLATFORMS, startApp } from '../../support/http-app.js';
import type { Platform } from '../../support/http-app.js';

class ListsDto {
  @IsOptional() @TransferOwnership('package', {}, { each: true }) each?: string[];
  @IsOptional() @AcceptFileType('csv', { each: true }) typed?: string[];
  @IsOptional() @FileExists() list?: string[];
  @IsOptional() @FileExists({ maxFiles: 20_000 }) long?: string[];
}

@Controller('lists')
class ListsController {
  @Post() @WithTaskQueue() save(@Body() dto: ListsDto) {
    return { id: 1, ...dto };
  }
}

const ids = (count: number) => Array.from({ length: count }, () => uuidV7());

async function lists(platform: Platform, validation?: FilesModuleOptions['validation']) {
  const app = await startApp({
    platform,
    ...(validation && { options: { validation } }),
    controllers: [ListsController],
    prepare: (nest) => {
      nest.useGlobalPipes(new ValidationPipe());
      takeLongBodies(nest);
    },
  });
  return async (body: Partial<ListsDto>) => {
    const headers = { 'content-type': 'application/json' };
    const response = await app.fetch('/lists', { method: 'POST', user: 'ada', body: JSON.stringify(body), headers });
    return { status: response.status, body: (await response.json()) as { message: string[] } };
  };
}

function takeLongBodies(nest: INestApplication): void {
  // Fastify takes a mebibyte by itself.
  if (nest.getHttpAdapter().getType() !== 'express') return;
  (nest as NestExpressApplication).useBodyParser('json', { limit: '1mb' });
}

describe.each(PLATFORMS)('a long list of ids on %s', (platform) => {
  it.each(['each', 'typed', 'list'] as const)('is refused by the field "%s", clearly', async (field) => {
    const send = await lists(platform);
    const { status, body } = await send({ [field]: ids(1001) });
    expect({ status, message: body.message }).toEqual({
      status: 400,
      message: [`${field}: Must name at most 1000 files`],
    });
    const { body: asLong } = await send({ [field]: ids(1000) });
    expect(asLong.message[0]).not.toContain('at most');
  });

  it('may be as long as the module says, or the field', async () => {
    const send = await lists(platform, { maxFiles: 2 });
    expect((await send({ each: ids(3) })).body.message).toEqual(['each: Must name at most 2 files']);
    expect((await send({ long: ids(3) })).body.message[0]).toMatch(/^long: .*[0-9a-f-]{36}, [0-9a-f-]{36}/);
  });

  it('is checked in one go where it may be long', async () => {
    const send = await lists(platform, { maxFiles: Infinity });
    const before = performance.now();
    expect((await send({ each: ids(10_000) })).status).toBe(400);
    // It took 20 seconds and more where each item looked through the list.
    expect(performance.now() - before).toBeLessThan(8_000);
  });
});

it.each([0, 1.5, -1, Number.NaN])('refuses at boot the option validation.maxFiles with %s', async (maxFiles) => {
  const app = startApp({ options: { validation: { maxFiles } } });
  await expect(app).rejects.toThrow(/validation\.maxFiles.*whole number above 0/);
});
