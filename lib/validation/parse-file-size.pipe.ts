import { Injectable } from '@nestjs/common';
import type { PipeTransform } from '@nestjs/common';
import { ByteSizeInvalidError } from '../errors/requests.errors.js';
import { parseByteSize } from '../storage/byte-size.js';

/**
 * Reads a size from a parameter: `@Query('limit', ParseFileSize) limit: number` makes 10485760 of `10MiB`. Throws
 * `ByteSizeInvalidError`, a 400 over HTTP.
 */
@Injectable()
export class ParseFileSize implements PipeTransform<unknown, number> {
  transform(value: unknown): number {
    if (typeof value !== 'string' && typeof value !== 'number') throw new ByteSizeInvalidError(value);
    return parseByteSize(value);
  }
}
