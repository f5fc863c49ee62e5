import { read } from '../../ownership/object-index.js';
import type { Step } from '../../ownership/object-index.js';
import type { RuleTree } from './file-rules.js';
import { fieldRules } from './rule-tree.js';
import type { SchemaField, SchemaFileRule } from './schema-file-rule.js';

/** A field that is there, and one of its rules. */
export interface RuleField {
  readonly rule: SchemaFileRule<never>;
  /** The field on the parsed object; then, if it is another with the same value, on the object that was sent. */
  readonly fields: readonly [SchemaField, ...SchemaField[]];
}

interface Holder {
  readonly object: object;
  readonly sent: unknown;
  readonly property: string;
  /** Identifies the property's place among the rules. */
  readonly place: object;
}

const places = new WeakMap<object, Map<string, object>>();
const ROOT: Holder = { object: {}, sent: undefined, property: '', place: {} };

/** The fields of the parsed value that the rules are about, with their values, without those that are not there. */
export function ruleFields(tree: RuleTree, parsed: unknown, sent: unknown): RuleField[] {
  const found: RuleField[] = [];
  visit(tree, parsed, sent, [], ROOT);
  return found;

  function visit(at: RuleTree, value: unknown, raw: unknown, path: readonly Step[], holder: Holder): void {
    if (value === undefined) return;
    const rules = fieldRules(at);
    if (rules) found.push(...rules.map((_, index) => fieldOf(rules, index, value, raw, path, holder)));
    else if (Array.isArray(value) || value instanceof Set) {
      const others = Array.isArray(raw) ? (raw as unknown[]) : [];
      [...(value as Iterable<unknown>)].forEach((item, i) => visit(at, item, others[i], [...path, i], holder));
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, inner] of Object.entries(at) as [string, RuleTree | undefined][]) {
        if (inner === undefined) continue;
        for (const [property, held] of name === '*' ? entriesOf(value) : [[name, read(value, name)] as const]) {
          const next = { object: value, sent: raw, property, place: placeOf(at, name) };
          visit(inner, held, readSent(raw, property), [...path, property], next);
        }
      }
    }
  }
}

function fieldOf(
  rules: readonly SchemaFileRule<never>[],
  index: number,
  held: unknown,
  raw: unknown,
  path: readonly Step[],
  { object, sent, property, place }: Holder,
): RuleField {
  const value: unknown = held instanceof Set ? [...(held as Set<unknown>)] : held;
  const targetName = ['schema', ...path.slice(0, -1)].join('.');
  const rule = rules[index] as SchemaFileRule<never>;
  const claims = rules.flatMap((one) => one.claims);
  const field = { object, property, targetName, value, path, place: placeOf(place, String(index)), claims };
  const isTwin = typeof sent === 'object' && sent !== null && sent !== object && isSame(value, raw);
  // With `transform: false` the handler gets what was sent, and its objects are to be found there by identity.
  return { rule, fields: isTwin ? [field, { ...field, object: sent }] : [field] };
}

/** One object for each declared key, the same for all validated values. */
function placeOf(written: object, key: string): object {
  const known = places.get(written) ?? new Map<string, object>();
  places.set(written, known);
  const place = known.get(key) ?? {};
  known.set(key, place);
  return place;
}

function isSame(value: unknown, raw: unknown): boolean {
  if (!Array.isArray(value) || !Array.isArray(raw)) return value === raw;
  return value.length === raw.length && value.every((item, index) => item === raw[index]);
}

function readSent(raw: unknown, property: string): unknown {
  return typeof raw === 'object' && raw !== null ? read(raw, property) : undefined;
}

function entriesOf(value: object): [string, unknown][] {
  return value instanceof Map ? [...value].map(([key, item]) => [String(key), item]) : Object.entries(value);
}
