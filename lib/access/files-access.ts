import { Inject, Injectable } from '@nestjs/common';
import { AccessDeniedError, AuthenticationRequiredError } from '../errors/access.errors.js';
import { OptionInvalidError } from '../errors/setup.errors.js';
import { FileNotFoundError } from '../errors/files.errors.js';
import { OwnerReferenceInvalidError } from '../errors/ownership.errors.js';
import { actAs } from '../actor/actor.js';
import type { Actor } from '../actor/actor.js';
import { FilesService } from '../files/files.service.js';
import { isDerived } from '../files/derived/derived-rows.js';
import type { ManagedFile } from '../files/managed-file.entity.js';
import { isSameOwner } from '../files/owner-reference.js';
import type { OwnerReference } from '../files/owner-reference.js';
import type { Sight } from '../ownership/transfer-runtime.js';
import type { FileSnapshot } from '../ownership/statements/transfer-statements.js';
import { isPossibleOwner } from '../ownership/owner-existence.js';
import { databaseFault } from '../unit-of-work/transaction/database-fault.js';
import { Transactor } from '../unit-of-work/transactor.js';
import type { AccessDecision } from './access-decision.js';
import { ACCESS_OPTIONS } from './access-options.js';
import type { AccessOptions } from './access-options.js';
import { askFilePolicies, askOwnerPolicy } from './ask-policies.js';
import { decideAccess } from './decide-access.js';
import type { FileOperation, OwnerOperation } from './operations.js';
import { PolicyRegistry } from './policy-registry.js';

/**
 * Decides about access to files, in this order: a manager and the owner of a file may do everything; then the
 * `FilePolicy` hooks answer; then the `OwnerPolicy` of the owner's type, if `cascade` lists the type and the storage;
 * otherwise access is denied. Access to a derived file is that to its original.
 */
@Injectable()
export class FilesAccess {
  /** @internal */
  constructor(
    @Inject(ACCESS_OPTIONS) private readonly options: AccessOptions,
    private readonly policies: PolicyRegistry,
    private readonly files: FilesService,
    private readonly transactor: Transactor,
  ) {}

  /**
   * Runs `work` as this actor: for cron jobs, scripts and command handlers, outside of a user's call.
   * @example await access.actAs({ type: 'user', id: 'ada' }, () => importer.importOne(row));
   */
  actAs<T>(actor: Actor | null, work: () => T): T {
    return actAs(actor, work);
  }

  /** Whether the actor may do everything with every file. */
  async isManager(actor: Actor | null): Promise<boolean> {
    return (await this.options.isManager(actor)) === true;
  }

  /** Whether the actor may do this with the file. */
  async can(actor: Actor | null, operation: FileOperation, file: ManagedFile): Promise<boolean> {
    return (await this.allowed(actor, operation, [file])).length === 1;
  }

  /**
   * The files with which the actor may do this, in the given order. A policy with `allowsMany` is asked once for each
   * owner type.
   */
  async allowed<T extends ManagedFile>(
    actor: Actor | null,
    operation: FileOperation,
    files: readonly T[],
  ): Promise<T[]> {
    const decisions = await this.explainMany(actor, operation, files);
    return files.filter((_, index) => decisions[index]?.allowed === true);
  }

  /**
   * The addresses of those files that the actor may download, by their ids: `FilesService.addressesOf()` for a list
   * that the actor sees. One statement for the files; each policy is asked for `stream` as in `allowed()`.
   */
  async addressesOf(actor: Actor | null, ids: readonly string[]): Promise<Map<string, string>> {
    return this.files.addressesOf(await this.allowed(actor, 'stream', await this.files.findMany(ids)));
  }

  /**
   * Which rule decides about the file: `(await access.explain(actor, 'read', id)).rule`. Throws `FileNotFoundError` for
   * an id without a file.
   */
  async explain(actor: Actor | null, operation: FileOperation, file: ManagedFile | string): Promise<AccessDecision> {
    const subject = typeof file === 'string' ? await this.files.findOrFail(file) : file;
    const [decision] = await this.explainMany(actor, operation, [subject]);
    return decision as AccessDecision;
  }

  /** As `explain`, for a list: each policy is asked once where it has `allowsMany`. */
  async explainMany(
    actor: Actor | null,
    operation: FileOperation,
    files: readonly ManagedFile[],
  ): Promise<AccessDecision[]> {
    if (await this.isManager(actor)) return files.map(() => ({ allowed: true, rule: 'manager' }));
    const subjects = await this.#originalsOf(files);
    return decideAccess({ policies: this.policies, cascade: this.options.cascade }, actor, operation, subjects);
  }

  /**
   * Throws unless the actor may do this: `FileNotFoundError` if the actor must not learn that the file exists,
   * otherwise `AuthenticationRequiredError` for anonymous actors and `AccessDeniedError` for others.
   */
  async assertCan(actor: Actor | null, operation: FileOperation, file: ManagedFile): Promise<void> {
    if (await this.can(actor, operation, file)) return;
    if (operation === 'read' || !(await this.can(actor, 'read', file))) throw new FileNotFoundError(file.id);
    throw refusal(actor, operation, `file ${file.id}`);
  }

  /**
   * Whether the actor may do this with an owner of files. The options `transferAsUpdate` and `scanAs` say which right
   * counts for `receive` and `scan`.
   */
  async canOwner(actor: Actor | null, operation: OwnerOperation, owner: OwnerReference): Promise<boolean> {
    if (isSameOwner(actor, owner) || (await this.isManager(actor))) return true;
    // An id that does not fit the owner's id column belongs to no owner. The policy would look it up, which PostgreSQL
    // answers with an error.
    if (!isPossibleOwner(this.transactor.dataSource, owner)) return false;
    try {
      return (
        (await this.policies.find(owner.type)?.allows(this.#asked(operation, owner.type), actor, owner.id)) === true
      );
    } catch (error) {
      if (databaseFault(error) !== 'invalid-value') throw error;
      throw new OwnerReferenceInvalidError('id', owner.id, `no ${owner.type} can have it`, { cause: error });
    }
  }

  /**
   * The owners that the actor may change, with or without a `cascade`.
   * @internal
   */
  async changeable(actor: Actor | null, ownerType: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
    if (await this.isManager(actor)) return new Set(ids);
    const policy = this.policies.find(ownerType);
    if (policy === undefined) {
      const why = `a field has authorize: true, but the owner type "${ownerType}" has no policy. Add a provider decorated with @OwnerPolicy('${ownerType}')`;
      throw new OptionInvalidError('validation.authorize', why);
    }
    const answers = await askOwnerPolicy(policy, 'update', actor, ids);
    return new Set(ids.filter((id) => isSameOwner(actor, { type: ownerType, id }) || answers.get(id) === true));
  }

  /**
   * Whether the actor may see the files. Their rows are loaded only if there are `FilePolicy` hooks.
   * @internal
   */
  async sight(actor: Actor | null, files: readonly FileSnapshot[]): Promise<ReadonlyMap<string, Sight>> {
    const subjects = this.policies.hooks.length > 0 ? await this.files.findMany(files.map(({ id }) => id)) : files;
    // Owner policies get only ids, so a snapshot is enough.
    const decisions = await this.explainMany(actor, 'read', subjects as readonly ManagedFile[]);
    return new Map(subjects.map(({ id }, index) => [id, sightBy(decisions[index])]));
  }

  /**
   * A filter that removes the files which a `FilePolicy` refuses from a list of this owner's files; `undefined` where
   * none is needed.
   * @internal
   */
  async sieveFor(
    actor: Actor | null,
    owner: OwnerReference,
  ): Promise<((files: readonly ManagedFile[]) => Promise<ManagedFile[]>) | undefined> {
    const { hooks } = this.policies;
    if (hooks.length === 0 || isSameOwner(actor, owner) || (await this.isManager(actor))) return undefined;
    return async (files) => {
      const verdicts = await askFilePolicies(hooks, 'read', actor, files);
      return files.filter((_, index) => verdicts[index]?.allowed !== false);
    };
  }

  /** Throws `AuthenticationRequiredError` or `AccessDeniedError` unless `canOwner`. */
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

  /** Throws `AuthenticationRequiredError` or `AccessDeniedError` unless `canUpload`. */
  async assertCanUpload(actor: Actor | null, storage: string): Promise<void> {
    if (!(await this.canUpload(actor, storage))) throw refusal(actor, 'upload to', `storage "${storage}"`);
  }

  /** In place of each derived file its original, whose access it follows. One statement if there are derived files. */
  async #originalsOf(files: readonly ManagedFile[]): Promise<readonly ManagedFile[]> {
    const ids = files.flatMap((file) => (isDerived(file) ? (file.ownerId ?? []) : []));
    if (ids.length === 0) return files;
    const originals = new Map((await this.files.findMany(ids)).map((file) => [file.id, file]));
    return files.map((file) => (isDerived(file) && originals.get(file.ownerId ?? '')) || file);
  }

  #asked(operation: OwnerOperation, type: string): OwnerOperation {
    const { transferAsUpdate, scanAs, cascade } = this.options;
    if (operation === 'receive' && transferAsUpdate) return 'update';
    if (operation !== 'scan') return operation;
    // Where all files of the owner follow the right to `read` it, the list tells its readers nothing that they may not
    // know.
    return scanAs ?? (Object.hasOwn(cascade, type) && cascade[type] === true ? 'read' : 'update');
  }
}

function sightBy(decision: AccessDecision | undefined): Sight {
  if (decision?.allowed) return 'shown';
  return decision?.rule === 'none' ? 'unknown' : 'hidden';
}

function refusal(actor: Actor | null, operation: string, subject: string): Error {
  return actor === null
    ? new AuthenticationRequiredError(operation, subject)
    : new AccessDeniedError(operation, subject);
}
