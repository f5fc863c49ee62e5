import { idText } from '../actor/actor.js';
import type { Actor } from '../actor/actor.js';
import { PolicyAnswerInvalidError } from '../errors/access.errors.js';
import type { ManagedFile } from '../files/managed-file.entity.js';
import type { AccessDecision } from './access-decision.js';
import type { FileAccessPolicy } from './file-policy.decorator.js';
import type { FileOperation, OwnerOperation } from './operations.js';
import type { FileOwnerPolicy } from './owner-policy.decorator.js';

/**
 * The decision of the hooks about each file; `undefined` where none of them decides. A refusal wins. Every answer
 * except `true` and `null` is a refusal, so that a policy that forgot its `return` opens nothing.
 */
export async function askFilePolicies(
  hooks: readonly FileAccessPolicy[],
  operation: FileOperation,
  actor: Actor | null,
  files: readonly ManagedFile[],
): Promise<(AccessDecision | undefined)[]> {
  const answers = await Promise.all(hooks.map((hook) => answersOf(hook, operation, actor, files)));
  return files.map((_, index) => {
    const about = answers.map((ofHook) => ofHook[index]);
    const refusing = about.findIndex((answer) => answer !== true && answer !== null);
    const decisive = hooks[refusing === -1 ? about.indexOf(true) : refusing];
    if (decisive === undefined) return undefined;
    return { allowed: refusing === -1, rule: 'file-policy', policy: decisive.constructor.name };
  });
}

/** The answer of the policy for each owner, by one call if the policy answers for lists. */
export async function askOwnerPolicy(
  policy: FileOwnerPolicy,
  operation: OwnerOperation,
  actor: Actor | null,
  ownerIds: readonly string[],
): Promise<Map<string, boolean | null>> {
  if (policy.allowsMany !== undefined && ownerIds.length > 1) {
    const allowed: unknown = await policy.allowsMany(operation, actor, ownerIds);
    const ids = idsOf(allowed, policy.constructor.name);
    return new Map(ownerIds.map((id) => [id, ids.has(id)]));
  }
  const answers = await Promise.all(ownerIds.map(async (id) => await policy.allows(operation, actor, id)));
  return new Map(ownerIds.map((id, index) => [id, answers[index] === null ? null : answers[index] === true]));
}

/** The ids that a policy allows, as texts: those of its records are often numbers. No answer allows nothing. */
function idsOf(allowed: unknown, policy: string): ReadonlySet<string> {
  if (allowed === undefined || allowed === null) return new Set();
  // A text is iterable too: '12' would allow the owners 1 and 2.
  if (typeof allowed !== 'object' || !(Symbol.iterator in allowed))
    throw new PolicyAnswerInvalidError(policy, typeof allowed);
  const ids = [...(allowed as Iterable<unknown>)].map((id) => {
    const text = idText(id);
    if (text === undefined)
      throw new PolicyAnswerInvalidError(policy, `a list with ${id === null ? 'null' : typeof id} in it`);
    return text;
  });
  return new Set(ids);
}

// Always asynchronous: if one policy threw synchronously, the rejections of the others would be unhandled, which ends
// the process.
async function answersOf(
  hook: FileAccessPolicy,
  operation: FileOperation,
  actor: Actor | null,
  files: readonly ManagedFile[],
): Promise<readonly unknown[]> {
  if (hook.allowsMany !== undefined && files.length > 1) return hook.allowsMany(operation, actor, files);
  return Promise.all(files.map(async (file) => await hook.allows(operation, actor, file)));
}
