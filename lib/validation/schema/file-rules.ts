import type { SchemaFileRule } from './schema-file-rule.js';

/**
 * Rules for the files in a schema's output, in the shape of that output: a rule or several for an id or a list of ids,
 * an object of rules for an object or a list of objects. `'*'` means all keys of a record.
 * @example { coverId: fileExists(), resources: { fileId: [transferOwnership('resource'), acceptFileType('csv')] } }
 */
export type FileRules<Output> = RulesOf<Output, object>;

type RulesOf<Value, Dto> = unknown extends Value ? RuleTree : KnownRulesOf<NonNullable<Value>, Dto>;

type KnownRulesOf<Value, Dto> = Value extends string
  ? FieldRules<Dto>
  : Value extends ReadonlyMap<string, infer Item>
    ? { '*'?: RulesOf<Item, Value> }
    : Value extends readonly (infer Item)[] | ReadonlySet<infer Item>
      ? RulesOf<Item, Dto>
      : Value extends object
        ? { [Key in keyof Value as NameOf<Key>]?: RulesOf<Value[Key], Value> }
        : never;

type FieldRules<Dto> = SchemaFileRule<Dto> | readonly SchemaFileRule<Dto>[];

/** A record has no other name for its keys. */
type NameOf<Key> = Key extends string ? (string extends Key ? '*' : Key) : never;

/** Rules in any shape. */
export type RuleTree = AnyRule | readonly AnyRule[] | { readonly [key: string]: RuleTree | undefined };

// oxlint-disable-next-line typescript/no-explicit-any -- with `never`, TypeScript infers that for every rule
type AnyRule = SchemaFileRule<any>;
