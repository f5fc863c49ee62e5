import { DecorationInvalidError } from '../../errors/setup.errors.js';
import type { RuleTree } from './file-rules.js';
import { SchemaFileRule } from './schema-file-rule.js';

/** The rules of a field, if the tree ends here. */
export function fieldRules(tree: RuleTree): readonly SchemaFileRule<never>[] | undefined {
  if (tree instanceof SchemaFileRule) return [tree];
  return Array.isArray(tree) ? (tree as readonly SchemaFileRule<never>[]) : undefined;
}

/** All rules of the tree, which may contain itself. Throws where something is neither a rule nor an object of rules. */
export function allRules(tree: RuleTree): SchemaFileRule<never>[] {
  const found: SchemaFileRule<never>[] = [];
  const seen = new Set<RuleTree>();
  const visit = (at: RuleTree | undefined, path: string): void => {
    if (at === undefined || seen.has(at)) return;
    seen.add(at);
    const isTree = typeof at === 'object' && at !== null;
    const rules = isTree ? fieldRules(at) : [];
    if (!isTree || rules?.some((rule) => !(rule instanceof SchemaFileRule))) throw noRule(path);
    if (rules) found.push(...rules);
    else for (const [key, inner] of Object.entries(at)) visit(inner as RuleTree, path ? `${path}.${key}` : key);
  };
  visit(tree, '');
  return found;
}

function noRule(path: string): DecorationInvalidError {
  const why = `it is not a rule. Use the functions transferOwnership(), fileExists() and so on, which begin with a lower-case letter.`;
  return new DecorationInvalidError('withFiles()', path === '' ? 'a schema' : `"${path}"`, why);
}
