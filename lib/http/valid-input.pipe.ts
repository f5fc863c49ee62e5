import { Injectable } from '@nestjs/common';
import type { ArgumentMetadata, PipeTransform, Type } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { RequestInvalidError } from '../errors/request-invalid.error.js';

/** Makes the parameter's class of what was sent, and throws `RequestInvalidError`: the application may have no `ValidationPipe`. */
@Injectable()
export class ValidInput implements PipeTransform<unknown, object> {
  transform(value: unknown, { type, metatype }: ArgumentMetadata): object {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new RequestInvalidError(type, ['it is not an object']);
    }
    const input = plainToInstance(metatype as Type<object>, value);
    const reasons = validateSync(input, { whitelist: true, forbidUnknownValues: true }).flatMap(({ constraints }) =>
      Object.values(constraints ?? {}),
    );
    if (reasons.length > 0) throw new RequestInvalidError(type, reasons);
    return input;
  }
}
