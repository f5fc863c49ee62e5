import { Controller, Get, Query } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { ParseFileSize } from '../../../lib/validation/parse-file-size.pipe.js';
import { ownershipApp } from '../../support/ownership-app.js';

@Controller()
class SizesController {
  @Get('sizes')
  sizes(@Query('limit', ParseFileSize) limit: number) {
    return { limit };
  }
}

describe('ParseFileSize', () => {
  it('reads sizes with units, and plain bytes', () => {
    const pipe = new ParseFileSize();
    expect(['10MiB', '1kB', '5', 7].map((value) => pipe.transform(value))).toEqual([10_485_760, 1000, 5, 7]);
  });

  it('answers 400 to everything else', async () => {
    const { app, close } = await ownershipApp({ controllers: [SizesController] });
    const url = await app.getUrl();
    expect(await (await fetch(`${url}/sizes?limit=2KiB`)).json()).toEqual({ limit: 2048 });
    for (const query of ['limit=ten', 'limit=', 'limit=1&limit=2', 'limit[a]=1', 'limit=-1', '', 'limit=1e9']) {
      const response = await fetch(`${url}/sizes?${query}`);
      expect([query, response.status]).toEqual([query, 400]);
      expect(await response.json()).toMatchObject({ code: 'FILES_BYTE_SIZE_INVALID' });
    }
    await close();
  });
});
