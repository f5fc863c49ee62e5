import type { OwnerReference } from '../files/owner-reference.js';

/** A row that names files. */
export interface AuditedRecord {
  /** The name of its entity class. */
  readonly entity: string;
  /** Its primary key, by property. */
  readonly key: Readonly<Record<string, unknown>>;
  /** The owner that the record's files should have; null if the column of the owner's id is empty. */
  readonly owner: OwnerReference | null;
}

/** A problem with a declared field of a record. */
export interface FieldFinding {
  /** The record. */
  readonly record: AuditedRecord;
  /** The declared field, with the way to it through embedded objects. */
  readonly field: string;
}

/** A record names a file that does not exist. */
export interface MissingFileFinding extends FieldFinding {
  /** Tells the findings apart. */
  readonly kind: 'missing-file';
  /** The id in the field. */
  readonly fileId: string;
}

/** A record names a file that is not its own. */
export interface ForeignFileFinding extends FieldFinding {
  /** Tells the findings apart. */
  readonly kind: 'foreign-file';
  /** The id in the field. */
  readonly fileId: string;
  /** Who owns the file; null for no owner. */
  readonly owner: OwnerReference | null;
}

/** A declared field holds a value that cannot be a file's id. */
export interface InvalidIdFinding extends FieldFinding {
  /** Tells the findings apart. */
  readonly kind: 'invalid-id';
  /** The value, as a short text. */
  readonly value: string;
}

/** A file's owner has no row, soft-removed or not, in any class of its type. */
export interface OwnerGoneFinding {
  /** Tells the findings apart. */
  readonly kind: 'owner-gone';
  /** The file. */
  readonly fileId: string;
  /** Who owns the file, by its row. */
  readonly owner: OwnerReference;
  /** Whether the file is pinned. */
  readonly pinned: boolean;
}

/** A file is owned and pinned, and no declared field of its owner names it. */
export interface UnnamedFileFinding {
  /** Tells the findings apart. */
  readonly kind: 'unnamed-file';
  /** The file. */
  readonly fileId: string;
  /** Who owns the file. */
  readonly owner: OwnerReference;
  /** Whether a field of the owner has `onReplace: 'keep'`, which leaves such files on purpose. */
  readonly mayBeKept: boolean;
}

/** A problem with the bytes of a file. */
export interface BytesFinding {
  /** The file. */
  readonly fileId: string;
  /** The name of the storage that should have the bytes. */
  readonly storage: string;
  /** Where in the storage. */
  readonly location: string;
}

/** A file has no bytes. */
export interface MissingBytesFinding extends BytesFinding {
  /** Tells the findings apart. */
  readonly kind: 'missing-bytes';
}

/** A file has more bytes or fewer than its row says. */
export interface WrongSizeFinding extends BytesFinding {
  /** Tells the findings apart. */
  readonly kind: 'wrong-size';
  /** Bytes, as the row has it. */
  readonly expected: number;
  /** Bytes, as the storage has them. */
  readonly found: number;
}

/** The hash of a file's bytes is not the hash in its row. Found only if the audit reads the bytes (`deep`). */
export interface WrongHashFinding extends BytesFinding {
  /** Tells the findings apart. */
  readonly kind: 'wrong-hash';
  /** An algorithm of `node:crypto`. */
  readonly algorithm: string;
  /** In hex, as the row has it. */
  readonly expected: string;
  /** In hex, of the bytes that were read. */
  readonly found: string;
}

/** The bytes could not be checked: their storage failed, or is not configured. */
export interface UncheckedBytesFinding extends BytesFinding {
  /** Tells the findings apart. */
  readonly kind: 'unchecked-bytes';
  /** The error, or the missing configuration. */
  readonly reason: string;
}

/** A finding of an audit. `JSON.stringify()` accepts each of them. */
export type AuditFinding =
  | MissingFileFinding
  | ForeignFileFinding
  | InvalidIdFinding
  | OwnerGoneFinding
  | UnnamedFileFinding
  | MissingBytesFinding
  | WrongSizeFinding
  | WrongHashFinding
  | UncheckedBytesFinding;
