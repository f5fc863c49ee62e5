import { createRequire } from 'node:module';
import { getMetadataStorage } from 'class-validator';
import { TRANSFER_OWNERSHIP } from './rules/transfer-ownership.rule.js';

type DtoClass = abstract new (...args: never[]) => unknown;

interface TypeMetadata {
  typeFunction?: () => unknown;
  options?: { discriminator?: { subTypes: { value: unknown }[] } };
}

interface TransformStorage {
  findTypeMetadata(target: DtoClass, property: string): TypeMetadata | undefined;
}

const NESTED = 'nestedValidation';

/** Whether the class, or a class that its properties are validated as, has a field with `@TransferOwnership()`. */
export function carriesTransferOwnership(dtoClass: unknown, visited = new Set<unknown>()): boolean {
  if (typeof dtoClass !== 'function' || visited.has(dtoClass)) return false;
  visited.add(dtoClass);
  const metadata = getMetadataStorage().getTargetValidationMetadatas(dtoClass, '', false, false);
  if (metadata.some(({ name }) => name === TRANSFER_OWNERSHIP)) return true;
  const nested = metadata.filter(({ type }) => type === NESTED).map(({ propertyName }) => propertyName);
  return [...new Set(nested)].some((property) =>
    classesOf(dtoClass as DtoClass, property).some((inner) => carriesTransferOwnership(inner, visited)),
  );
}

function classesOf(dtoClass: DtoClass, property: string): unknown[] {
  const designType: unknown = Reflect.getMetadata('design:type', dtoClass.prototype as object, property);
  const type = transformStorage()?.findTypeMetadata(dtoClass, property);
  return [designType, declaredType(type), ...(type?.options?.discriminator?.subTypes ?? []).map(({ value }) => value)];
}

function declaredType(type: TypeMetadata | undefined): unknown {
  try {
    return type?.typeFunction?.();
  } catch {
    // A type function may lean on the object at hand, which there is none of.
    return undefined;
  }
}

// class-transformer tells types only through its storage, which its main module does not export.
function transformStorage(): TransformStorage | undefined {
  try {
    const { defaultMetadataStorage } = createRequire(import.meta.url)('class-transformer/cjs/storage.js') as {
      defaultMetadataStorage: TransformStorage;
    };
    return defaultMetadataStorage;
  } catch {
    return undefined;
  }
}
