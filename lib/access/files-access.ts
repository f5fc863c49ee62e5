import { Inject, Injectable } from '@nestjs/common';
import { AccessDeniedError } from '../errors/access-denied.error.js';
import { AuthenticationRequiredError } from '../errors/authentication-required.error.js';
import { FileNotFoundError } from '../errors/file-not-found.error.js';
import type { Actor } from '../files/actor.js';
import type { ManagedFile } from '../files/managed-file.entity.js';
import type { OwnerReference } from '../files/owner-reference.js';
import { ACCESS_OPTIONS } from './access-options.js';
import type { AccessOptions } from './access-options.js';
import { ownerOperationFor } from './operations.js';
import type { FileOperation, OwnerOperation } from './operations.js';
import { PolicyRegistry } from './policy-registry.js';

/**
 * Who may do what with files. Asked in this order: a manager may everything; who owns the file may; the `FilePolicy` hooks
 * answer; the `OwnerPolicy` of the owner's type answers where `cascade` lists the type and the storage; else no.
 */
@Injectable()
export class FilesAccess {
  constructor(
    @Inject(ACCESS_OPTIONS) private readonly options: AccessOptions,
    private readonly policies: PolicyRegistry,
  ) {}

  async isManager(actor: Actor | null): Promise<boolean> {
    return (await this.options.isManager(actor)) === true;
  }

  async can(actor: Actor | null, operation: FileOperation, file: ManagedFile): Promise<boolean> {
    return (await this.allowed(actor, operation, [file])).length === 1;
  }

  /** Those of the files with which the actor may do this, in their order. Each owner type's policy is asked once. */
  async allowed<T extends ManagedFile>(
    actor: Actor | null,
    operation: FileOperation,
    files: readonly T[],
  ): Promise<T[]> {
    if (await this.isManager(actor)) return [...files];
    const answers = await Promise.all(files.map((file) => this.#ownAnswer(actor, operation, file)));
    const open = files.filter((file, index) => answers[index] === null && this.#cascades(file));
    const owners = await this.#allowedOwners(actor, ownerOperationFor(operation), open);
    return files.filter(
      (file, index) => answers[index] ?? owners.get(file.ownerType ?? '')?.has(file.ownerId ?? '') ?? false,
    );
  }

  /**
   * Throws unless the actor may do this: `FileNotFoundError` when the file's existence must not be told either, else
   * `AuthenticationRequiredError` for anonymous actors and `AccessDeniedError` for others.
   */
  async assertCan(actor: Actor | null, operation: FileOperation, file: ManagedFile): Promise<void> {
    if (await this.can(actor, operation, file)) return;
    if (operation === 'show' || !(await this.can(actor, 'show', file))) throw new FileNotFoundError(file.id);
    throw refusal(actor, operation, `file ${file.id}`);
  }

  /** Whether the actor may do this with an owner of files. `update` answers for `file_transfer` and `file_scan` unless the options say otherwise. */
  async canOwner(actor: Actor | null, operation: OwnerOperation, owner: OwnerReference): Promise<boolean> {
    if (isSame(actor, owner.type, owner.id) || (await this.isManager(actor))) return true;
    const answer = await this.policies.find(owner.type)?.allows(this.#asked(operation), actor, owner.id);
    return answer === true;
  }

  async assertCanOwner(actor: Actor | null, operation: OwnerOperation, owner: OwnerReference): Promise<void> {
    if (await this.canOwner(actor, operation, owner)) return;
    throw refusal(actor, operation, `${owner.type} ${owner.id}`);
  }

  /** Whether the actor may upload to the storage, by the option `uploads`. */
  async canUpload(actor: Actor | null, storage: string): Promise<boolean> {
    const { uploads } = this.options;
    if (await this.isManager(actor)) return true;
    if (uploads === 'managers') return false;
    if (typeof uploads === 'function') return (await uploads(actor, storage)) === true;
    return actor !== null && (uploads === 'authenticated' || uploads.storages.includes(storage));
  }

  async assertCanUpload(actor: Actor | null, storage: string): Promise<void> {
    if (!(await this.canUpload(actor, storage))) throw refusal(actor, 'upload to', `storage "${storage}"`);
  }

  /** What is known without the file's owner being asked; `null` when nothing is. */
  async #ownAnswer(actor: Actor | null, operation: FileOperation, file: ManagedFile): Promise<boolean | null> {
    if (isSame(actor, file.ownerType, file.ownerId)) return true;
    const answers = await Promise.all(this.policies.hooks.map((hook) => hook.allows(operation, actor, file)));
    if (answers.includes(false)) return false;
    return answers.includes(true) ? true : null;
  }

  #cascades({ ownerType, ownerId, storage }: ManagedFile): boolean {
    if (ownerType === null || ownerId === null || !Object.hasOwn(this.options.cascade, ownerType)) return false;
    const storages = this.options.cascade[ownerType];
    return storages === true || (storages?.includes(storage) ?? false);
  }

  async #allowedOwners(
    actor: Actor | null,
    operation: OwnerOperation,
    files: readonly ManagedFile[],
  ): Promise<Map<string, Set<string>>> {
    const asked = new Map<string, Set<string>>();
    for (const { ownerType, ownerId } of files) {
      if (ownerType === null || ownerId === null) continue;
      asked.set(ownerType, (asked.get(ownerType) ?? new Set()).add(ownerId));
    }
    const answers = [...asked].map(
      async ([type, ids]) => [type, await this.#ask(actor, operation, type, [...ids])] as const,
    );
    return new Map(await Promise.all(answers));
  }

  async #ask(actor: Actor | null, operation: OwnerOperation, type: string, ids: string[]): Promise<Set<string>> {
    const policy = this.policies.find(type);
    if (policy === undefined) return new Set();
    if (policy.allowsMany !== undefined && ids.length > 1) {
      return new Set(await policy.allowsMany(operation, actor, ids));
    }
    const answers = await Promise.all(ids.map((id) => policy.allows(operation, actor, id)));
    return new Set(ids.filter((_, index) => answers[index] === true));
  }

  #asked(operation: OwnerOperation): OwnerOperation {
    const { transferAsUpdate, scanAsUpdate } = this.options;
    const asUpdate = (operation === 'file_transfer' && transferAsUpdate) || (operation === 'file_scan' && scanAsUpdate);
    return asUpdate ? 'update' : operation;
  }
}

function isSame(actor: Actor | null, type: string | null, id: string | null): boolean {
  return actor !== null && actor.type === type && actor.id === id;
}

function refusal(actor: Actor | null, operation: string, subject: string): Error {
  return actor === null
    ? new AuthenticationRequiredError(operation, subject)
    : new AccessDeniedError(operation, subject);
}
