import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Injectable } from '@nestjs/common';
import { DerivedFile } from 'nestjs-files/hooks';

/** Makes small pictures of large ones, for lists: `/files/:id/thumbnail`. */
@Injectable()
export class Thumbnails {
  @DerivedFile('thumbnail', { from: ['png', 'jpeg', 'webp', 'gif', 'avif'], name: () => 'thumbnail.webp' })
  async thumbnail(content: Readable): Promise<Buffer> {
    // Loaded where it is needed: the portal runs without it.
    const { default: sharp } = await import('sharp');
    const image = sharp(await buffer(content), { limitInputPixels: 50_000_000 });
    return image.autoOrient().resize(192, 192, { fit: 'cover', withoutEnlargement: true }).webp().toBuffer();
  }
}
