import { Controller, Get, Header, NotFoundException, Param, StreamableFile } from '@nestjs/common';
import { Assets } from './assets.js';

@Controller('web/assets')
export class AssetsController {
  constructor(private readonly assets: Assets) {}

  @Get(':version/:name')
  @Header('Cache-Control', 'public, max-age=31536000, immutable')
  @Header('X-Content-Type-Options', 'nosniff')
  asset(@Param('name') name: string): StreamableFile {
    const asset = this.assets.find(name);
    if (!asset) throw new NotFoundException(`There is no ${name}.`);
    return new StreamableFile(asset.content, { type: asset.type, length: asset.content.length });
  }
}
