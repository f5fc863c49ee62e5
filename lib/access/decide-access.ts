import type { Actor } from '../actor/actor.js';
import type { ManagedFile } from '../files/managed-file.entity.js';
import { isSameOwner } from '../files/owner-reference.js';
import type { OwnerReference } from '../files/owner-reference.js';
import type { AccessDecision } from './access-decision.js';
import type { AccessOptions } from './access-options.js';
import { askFilePolicies, askOwnerPolicy } from './ask-policies.js';
import { ownerOperationFor } from './operations.js';
import type { FileOperation, OwnerOperation } from './operations.js';
import type { PolicyRegistry } from './policy-registry.js';

/** The rules that decide, besides that for managers. */
export interface AccessRules {
  policies: PolicyRegistry;
  cascade: AccessOptions['cascade'];
}

/**
 * Decides about a list of files, in their order: by their owner, then by the hooks, then by the policies of their
 * owners.
 */
export async function decideAccess(
  rules: AccessRules,
  actor: Actor | null,
  operation: FileOperation,
  files: readonly ManagedFile[],
): Promise<AccessDecision[]> {
  const others = files.filter((file) => !isSameOwner(actor, { type: file.ownerType, id: file.ownerId }));
  const verdicts = await askFilePolicies(rules.policies.hooks, operation, actor, others);
  const byHooks = new Map(others.map((file, index) => [file, verdicts[index]]));
  const undecided = others.filter((file) => byHooks.get(file) === undefined);
  const byOwners = await followOwners(rules, actor, ownerOperationFor(operation), undecided);
  return files.map((file) => byHooks.get(file) ?? byOwners.get(file) ?? { allowed: true, rule: 'owner' });
}

/** The decisions of the owners' policies, one for each file. */
async function followOwners(
  { policies, cascade }: AccessRules,
  actor: Actor | null,
  operation: OwnerOperation,
  files: readonly ManagedFile[],
): Promise<Map<ManagedFile, AccessDecision>> {
  const decisions = new Map<ManagedFile, AccessDecision>();
  const followers = new Map<string, Map<ManagedFile, OwnerReference>>();
  for (const file of files) {
    const owner = ownerFollowed(file, cascade);
    if (typeof owner === 'string') decisions.set(file, { allowed: false, rule: 'none', reason: owner });
    else followers.set(owner.type, (followers.get(owner.type) ?? new Map()).set(file, owner));
  }
  const asked = [...followers].map(async ([type, ofType]) => {
    const policy = policies.get(type);
    const ids = new Set([...ofType.values()].map(({ id }) => id));
    const answers = await askOwnerPolicy(policy, operation, actor, [...ids]);
    for (const [file, owner] of ofType) {
      const answer = answers.get(owner.id) ?? null;
      const asking = { owner, operation, policy: policy.constructor.name };
      decisions.set(file, { allowed: answer === true, rule: 'cascade', ...asking, answer });
    }
  });
  await Promise.all(asked);
  return decisions;
}

/** The owner whose policy decides about the file, or the reason why none does. */
function ownerFollowed(
  { ownerType: type, ownerId: id, storage }: ManagedFile,
  cascade: AccessOptions['cascade'],
): OwnerReference | Extract<AccessDecision, { rule: 'none' }>['reason'] {
  if (type === null || id === null) return 'unowned';
  const storages = Object.hasOwn(cascade, type) ? cascade[type] : undefined;
  if (storages === undefined) return 'type-not-cascaded';
  return storages === true || storages.includes(storage) ? { type, id } : 'storage-not-cascaded';
}
