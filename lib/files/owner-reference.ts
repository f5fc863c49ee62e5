import { OwnerReferenceInvalidError } from '../errors/ownership.errors.js';

/** Who owns a file: any kind of entity of the application, by its id. */
export interface OwnerReference {
  /** Up to 64 characters: `package`. */
  type: string;
  /** Up to 191 characters. */
  id: string;
}

const MAX_LENGTH = { type: 64, id: 191 };
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const UNSAFE = /[\u0000-\u001f\u007f]|\p{Surrogate}/u;

/** The type of the owner of a derived file, whose id is that of its original. */
export const FILE_OWNER = 'file';

/**
 * Throws `OwnerReferenceInvalidError` unless files can be given to this owner: as `assertOwnerText`, and files do not
 * own what is given to them.
 */
export function assertOwnerReference(owner: OwnerReference): void {
  assertOwnerText(owner);
  if (owner.type === FILE_OWNER)
    throw new OwnerReferenceInvalidError('type', owner.type, 'only files that are derived from a file belong to it');
}

/**
 * Throws `OwnerReferenceInvalidError` unless every database keeps the reference as it is and tells it from every other.
 */
export function assertOwnerText(owner: OwnerReference): void {
  for (const field of ['type', 'id'] as const) {
    const value: unknown = owner[field];
    const refuse = (reason: string) => new OwnerReferenceInvalidError(field, value, reason);
    if (typeof value !== 'string' || value === '') throw refuse('it must be a text that is not empty');
    // MySQL and MariaDB pad texts when they compare: `abc` would own the files of `abc `.
    if (value.trim() !== value) throw refuse('it must not have space around it');
    if (UNSAFE.test(value)) throw refuse('it must not have control characters');
    if (value.length > MAX_LENGTH[field] && [...value].length > MAX_LENGTH[field])
      throw refuse(`it must not be longer than ${MAX_LENGTH[field]} characters`);
  }
}

/** An entity's id as an owner's id: a text, or a number written out. */
export function ownerIdOf(id: unknown): string | undefined {
  if (typeof id === 'number') return Number.isFinite(id) ? String(id) : undefined;
  if (typeof id === 'bigint') return String(id);
  return typeof id === 'string' && id !== '' ? id : undefined;
}

/** The owner that a row names: of a file, or of an upload. */
export function ownerOf({ ownerType, ownerId }: RowOwner): OwnerReference | null {
  return ownerType === null || ownerId === null ? null : { type: ownerType, id: ownerId };
}

interface RowOwner {
  readonly ownerType: string | null;
  readonly ownerId: string | null;
}

/** Whether the two are one owner. An unowned file has no owner, and nobody is an owner. */
export function isSameOwner(
  one: OwnerReference | null,
  other: { readonly type: string | null; readonly id: string | null } | undefined,
): boolean {
  return one === other || (one !== null && other !== undefined && one.type === other.type && one.id === other.id);
}
