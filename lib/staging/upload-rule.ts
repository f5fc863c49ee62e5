import { rulesOf } from '../dto/dto-rules.js';

/** The name of the constraint of `@UploadAs()` in class-validator. */
export const UPLOAD_AS = 'uploadAs';

/** The value for the owner's field: the file's id, or its address. */
export type AttachAs = 'id' | 'permanentLink';

/** The options of `@UploadAs()` on a field. */
export interface UploadRule {
  readonly ownerType: string;
  readonly idSteps: readonly string[];
  readonly owner: ((result: never, dto: never) => unknown) | undefined;
  /** Whether the actor has to have the right to change the owner; `undefined` is the module's default. */
  readonly authorize: boolean | undefined;
  /** `undefined` is the module's default storage. */
  readonly storage: string | undefined;
  readonly attachAs: AttachAs;
  /** The owner's property. */
  readonly field: string;
  /** Whether the application set the field to write, which then must exist. */
  readonly isStated: boolean;
}

/** A field that takes files, as one class declares it. */
export interface UploadField {
  /** `CreatePackageDto.cover`, for messages. */
  readonly place: string;
  readonly dtoClass: abstract new (...args: never[]) => object;
  readonly property: string;
  /** Whether it takes several files. */
  readonly isList: boolean;
  readonly rule: UploadRule;
}

/** The fields with `@UploadAs()` of the class and those it extends. */
export function uploadFieldsOf(dtoClass: unknown): UploadField[] {
  return rulesOf(dtoClass).flatMap(({ name, propertyName: property, each, constraints }): UploadField[] => {
    if (name !== UPLOAD_AS) return [];
    const owner = dtoClass as UploadField['dtoClass'];
    const declared: unknown = Reflect.getMetadata('design:type', owner.prototype as object, property);
    const [, rule] = constraints as [string, UploadRule];
    return [
      { place: `${owner.name}.${property}`, dtoClass: owner, property, isList: each || declared === Array, rule },
    ];
  });
}
