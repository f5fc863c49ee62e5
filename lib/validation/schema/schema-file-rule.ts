import type { Step } from '../../ownership/object-index.js';
import type { FieldClaim, ValidatedField, FileRule } from '../rules/file-rule.js';
import { TRANSFER_OWNERSHIP } from '../rules/transfer-ownership.rule.js';

/** A field of a parsed value. */
export interface SchemaField extends ValidatedField {
  readonly value: unknown;
  readonly path: readonly Step[];
  /** Identifies the rule's place in the schema. */
  readonly place: object;
  /** The claims of the field's rules. */
  readonly claims: readonly FieldClaim[];
}

/** A rule about the files that a field names, for `withFiles()`. `Dto` is the object that has the field. */
export class SchemaFileRule<Dto = unknown> {
  /** Only the compiler reads it: a rule for fields of one object does not fit those of another. */
  declare readonly dto?: (dto: Dto) => void;

  /** @internal */
  constructor(
    /** @internal The rule itself. */
    readonly rule: FileRule<SchemaField>,
    /** @internal Replaces the message of the rule. */
    readonly message?: string | undefined,
    /** @internal How many files a list may name, where the field says so. */
    readonly maxFiles?: number | undefined,
  ) {}

  /** @internal Whether the files change their owner. */
  get transfers(): boolean {
    return this.rule.name === TRANSFER_OWNERSHIP;
  }

  /** @internal What it takes files for. */
  get claims(): readonly FieldClaim[] {
    return this.transfers ? [this.rule.constraints[1] as FieldClaim] : [];
  }
}
