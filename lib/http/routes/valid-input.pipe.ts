import { Injectable } from '@nestjs/common';
import type { ArgumentMetadata, PipeTransform, Type } from '@nestjs/common';
import { getMetadataStorage, validateSync } from 'class-validator';
import { RequestInvalidError } from '../../errors/requests.errors.js';

/**
 * Turns the input into the parameter's class, or throws `RequestInvalidError`. The application may have no
 * `ValidationPipe`.
 */
@Injectable()
export class ValidInput implements PipeTransform<unknown, object> {
  transform(value: unknown, { type, metatype }: ArgumentMetadata): object {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new RequestInvalidError(type, ['it is not an object']);
    }
    const input = pick(metatype as Type<object>, value);
    const reasons = validateSync(input, { forbidUnknownValues: true }).flatMap(({ constraints }) =>
      Object.values(constraints ?? {}),
    );
    if (reasons.length > 0) throw new RequestInvalidError(type, reasons);
    return input;
  }
}

/**
 * The class's fields of the value, without those that are `null`. Not `plainToInstance`, which stumbles over a field
 * named `constructor`.
 */
function pick(type: Type<object>, value: object): object {
  const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);
  const names = new Set(rules.map(({ propertyName }) => propertyName));
  const entries = [...names]
    .filter((name) => Object.hasOwn(value, name))
    .map((name): [string, unknown] => [name, Reflect.get(value, name)]);
  return Object.assign(new type(), Object.fromEntries(entries.filter(([, sent]) => sent !== null)));
}
