import type { SchemaFileRule } from './schema-file-rule.js';

/**
 * Rules about the files in what a schema makes, in its own shape: a rule, or several, where an id or a list of ids is; an object of rules
 * where an object is, or a list of objects. `'*'` stands for all keys of a record.
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

// oxlint-disable-next-line typescript/no-explicit-any -- of whatever object: with `never`, TypeScript infers that for every rule
type AnyRule = SchemaFileRule<any>;
