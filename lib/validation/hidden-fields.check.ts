import { Injectable, Logger } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { RouteExplorer } from '../task-queue/route-explorer.js';
import { nestedProperties, rulesOf } from '../dto/dto-rules.js';
import { carriesTransferOwnership, TRANSFER_OWNERSHIP } from './rules/transfer-ownership.rule.js';

/**
 * Warns at boot about fields with `@TransferOwnership()` that pipes will not see. A guarded record that names such a
 * file is refused.
 */
@Injectable()
export class HiddenFieldsCheck implements OnModuleInit {
  readonly #logger = new Logger('TransferOwnership');

  constructor(private readonly explorer: RouteExplorer) {}

  onModuleInit(): void {
    for (const { place, isDecorated, bodyTypes } of this.explorer.routes()) {
      if (!isDecorated) continue;
      for (const hidden of bodyTypes.flatMap((type) => hiddenFields(type))) this.#logger.warn(`${place}: ${hidden}`);
    }
  }
}

type DtoClass = abstract new (...args: never[]) => unknown;

/** Fields with `@TransferOwnership()` that validation will not see, each with its place and the remedy. */
function hiddenFields(dtoClass: unknown, visited = new Set<unknown>()): string[] {
  if (typeof dtoClass !== 'function' || visited.has(dtoClass)) return [];
  visited.add(dtoClass);
  const found = redeclared(dtoClass as DtoClass);
  for (const { property, isNested, types, isTyped, isList } of nestedProperties(dtoClass)) {
    const place = `${dtoClass.name}.${property}`;
    const carries = types.some((type) => carriesTransferOwnership(type));
    if (carries && !isNested) found.push(`${place} has @Type() and lacks @ValidateNested(): add it.`);
    if (isNested && !isTyped && (carries || isList)) {
      found.push(
        `${place} has @ValidateNested() and lacks @Type(() => …): its objects are validated as no class. Add it.`,
      );
    }
    for (const type of types) found.push(...hiddenFields(type, visited));
  }
  return found;
}

/**
 * class-validator drops an inherited constraint if a subclass redeclares the property with another one of the same
 * type.
 */
function redeclared(dtoClass: DtoClass): string[] {
  const own = transferred(dtoClass);
  const hidden = new Set<string>();
  for (let at = Object.getPrototypeOf(dtoClass) as unknown; typeof at === 'function'; at = Object.getPrototypeOf(at)) {
    for (const property of transferred(at)) if (!own.has(property)) hidden.add(property);
  }
  return [...hidden].map(
    (property) =>
      `${dtoClass.name}.${property} redeclares an inherited field, which drops its @TransferOwnership(): repeat the decorator there.`,
  );
}

function transferred(dtoClass: unknown): Set<string> {
  const rules = rulesOf(dtoClass).filter(({ name }) => name === TRANSFER_OWNERSHIP);
  return new Set(rules.map(({ propertyName }) => propertyName));
}
