import type { FactoryProvider, ModuleMetadata } from '@nestjs/common';
import type { AccessOptions, ScanRight, UploadPolicy } from './access/access-options.js';
import { OptionInvalidError } from './errors/setup.errors.js';
import type { Actor, ActorResolver } from './actor/actor.js';
import type { ByOwnerType } from './files/owner-type-name.js';
import { callUser } from './access/call-user.js';
import { readConcurrentRemovals } from './files/content/byte-removals.js';
import { readDraftOptions } from './files/drafts/draft-options.js';
import type { CheckedDraftOptions, DraftOptions } from './files/drafts/draft-options.js';
import { readDirectUploadOptions } from './files/uploads/direct-upload-options.js';
import type { CheckedDirectUploadOptions, DirectUploadOptions } from './files/uploads/direct-upload-options.js';
import type { StoredHook } from './files/stored/on-file-stored.decorator.js';
import { readSweeperOptions } from './files/intents/sweeper-options.js';
import type { CheckedSweeperOptions, SweeperOptions } from './files/intents/sweeper-options.js';
import type { FilesHttpOptions } from './http/http-options.js';
import { readJobsOptions } from './jobs/jobs-options.js';
import type { CheckedJobsOptions, JobsOptions } from './jobs/jobs-options.js';
import { readLinksOptions } from './links/links-options.js';
import type { LinksOptions } from './links/links-options.js';
import { readQuotas } from './ownership/quotas/quota-options.js';
import type { QuotaOptions } from './ownership/quotas/quota-options.js';
import { readValidationOptions } from './ownership/validation-options.js';
import type { CheckedValidationOptions, FilesValidationOptions } from './ownership/validation-options.js';
import { readScanningOptions } from './scan/scanning-options.js';
import type { CheckedScanningOptions, ScanningOptions } from './scan/scanning-options.js';
import type { StorageAdapter } from './storage/storage-adapter.js';
import type { Storage } from './storage/storage.js';
import { LONGEST_TIMER } from './unit-of-work/ends-within.js';

/** The options of `FilesModule.forRoot()`. */
export interface FilesModuleOptions extends FilesModuleShape {
  /** The places for bytes, by name: `{ default: fsStorage({ root: 'var/files' }) }`. */
  storages: Record<string, Storage | StorageAdapter>;
  /** The storage that is used when none is named. @default 'default' */
  defaultStorage?: string;
  /**
   * Who is acting. @default the `user` that guards left on the call, on every transport:
   * `{ type: 'user', id: user.id }`, or `null`
   */
  actor?: ActorResolver;
  /**
   * Called for each file that gets content, in the unit of work that writes its row, before the methods with
   * `@OnFileStored()`. It may refuse the file: throw `FileRefusedError`. @default nothing
   */
  onStored?: StoredHook;
  /** Tells managers, who may do everything with every file. @default nobody */
  isManager?: (actor: Actor | null) => boolean | Promise<boolean>;
  /** Who may upload, besides managers. @default 'managers' */
  uploads?: UploadPolicy;
  /** The owner types whose files follow their `OwnerPolicy`: in all storages (`true`) or in these. @default none */
  cascade?: ByOwnerType<true | string[]>;
  /** Whether an owner policy's `update` answers for `receive`. @default true */
  transferAsUpdate?: boolean;
  /**
   * The right on an owner that listing its files asks its policy for. @default 'read' where `cascade` lists the owner's
   * type with `true`, so that an actor who may list the files may open them; otherwise 'update'
   */
  scanAs?: ScanRight;
  /**
   * When the sweeper removes bytes that no file refers to; with `false`, only when `FilesSweeper.sweep()` is called.
   * @default every hour, a day old
   */
  sweeper?: SweeperOptions | false;
  /**
   * Names this installation, such as 'production', in the marks of its storages, so that a copy of its database is told
   * apart. See docs/storages.md.
   * @default the name of the database, and its server on PostgreSQL
   */
  installation?: string;
  /**
   * The bytes of how many deleted files this process removes at once, after the responses: each removal is a call of
   * its storage. @default 4
   */
  concurrentRemovals?: number;
  /**
   * The lifetime of uploads that clients send to the storage themselves. @default a day, and an hour for each signed
   * request
   */
  directUploads?: DirectUploadOptions;
  /** When uploads are deleted that were never attached: `{ expireAfter: '7d' }`. @default never */
  drafts?: DraftOptions;
  /** How much owners may have, by owner type: `{ user: { bytes: '1GiB', count: 1000 } }`. @default no limit */
  quotas?: QuotaOptions;
  /**
   * Whether PostgreSQL keeps the plans of the library's own statements, per connection. Set `false` for a pooler that
   * gives each transaction another connection and does not know prepared statements (PgBouncer before 1.21).
   * @default true
   */
  preparedStatements?: boolean;
  /**
   * How many milliseconds a shutdown waits for units of work that are open, once HTTP is closed; then they are rolled
   * back.
   * @default 10000
   */
  shutdownTimeout?: number;
  /**
   * What keeps the jobs of `TaskQueue.enqueue()`, and whether this process runs them. @default in the table
   * `files_job`, and it does
   */
  jobs?: JobsOptions;
  /** Options for fields of DTOs and schemas that name files: `{ maxFiles: 100 }`. */
  validation?: FilesValidationOptions;
  /** What holds for the scans of content, and scanners of owner types. Storages have an option `scan`. */
  scanning?: ScanningOptions;
  /** The secrets that sign temporary and one-time links. @default none, and such links cannot be made */
  links?: LinksOptions;
}

/** The options that shape the module, and must be known before any factory runs. */
export interface FilesModuleShape {
  /** The name of the TypeORM data source that has the files. @default TypeORM's default data source */
  dataSource?: string;
  /** The path and the decorators of the REST routes; `false` for no routes. @default { path: 'files' } */
  http?: FilesHttpOptions | false;
}

/**
 * The options of `FilesModule.forRootAsync()`. `dataSource` and `http` are given next to the factory, not by it,
 * because Nest needs entities and routes before it calls any factory.
 */
export interface FilesModuleAsyncOptions extends FilesModuleShape, Pick<ModuleMetadata, 'imports'> {
  /** The providers that the factory gets. */
  inject?: FactoryProvider['inject'];
  /** The storages that are injected with `@InjectStorage(name)`, for the same reason. @default [] */
  storageNames?: string[];
  /** Gives the options. It is called once, at boot. */
  useFactory: (...dependencies: never[]) => FilesFactoryOptions | Promise<FilesFactoryOptions>;
}

/** The options that the factory returns. */
export type FilesFactoryOptions = Omit<FilesModuleOptions, keyof FilesModuleShape>;

/** The module's options, checked and with their defaults. */
export const FILES_OPTIONS = Symbol('FILES_OPTIONS');

export interface CheckedFilesOptions extends AccessOptions {
  storages: Record<string, Storage | StorageAdapter>;
  defaultStorage: string;
  actor: ActorResolver;
  onStored: StoredHook | undefined;
  sweeper: CheckedSweeperOptions;
  concurrentRemovals: number;
  directUploads: CheckedDirectUploadOptions;
  drafts: CheckedDraftOptions;
  installation: string | undefined;
  jobs: CheckedJobsOptions;
  scanning: CheckedScanningOptions;
  links: Readonly<LinksOptions> | undefined;
  quotas: QuotaOptions;
  validation: CheckedValidationOptions;
  preparedStatements: boolean;
  shutdownTimeout: number;
}

/** Fills in the defaults; throws `OptionInvalidError` for an invalid value. */
export function checkOptions(options: FilesFactoryOptions): CheckedFilesOptions {
  const { storages, defaultStorage = 'default', uploads = 'managers', cascade = {} } = options;
  const known = Object.keys(storages ?? {});
  if (known.length === 0) {
    throw new OptionInvalidError(
      'storages',
      "it is empty. Configure one: { default: fsStorage({ root: 'var/files' }) }",
    );
  }
  assertKnown('defaultStorage', [defaultStorage], known);
  checkUploads(uploads, known);
  checkCascade(cascade, known);
  return {
    storages,
    defaultStorage,
    uploads,
    cascade,
    actor: options.actor ?? callUser,
    onStored: readOnStored(options.onStored),
    isManager: options.isManager ?? (() => false),
    transferAsUpdate: options.transferAsUpdate ?? true,
    scanAs: readScanRight(options),
    sweeper: readSweeperOptions(options.sweeper),
    concurrentRemovals: readConcurrentRemovals(options.concurrentRemovals),
    directUploads: readDirectUploadOptions(options.directUploads),
    drafts: readDraftOptions(options.drafts),
    installation: readInstallation(options.installation),
    jobs: readJobsOptions(options.jobs, readShutdownTimeout(options.shutdownTimeout)),
    scanning: readScanningOptions(options.scanning),
    links: readLinksOptions(options.links),
    quotas: readQuotas(options.quotas),
    validation: readValidationOptions(options.validation),
    preparedStatements: options.preparedStatements ?? true,
    shutdownTimeout: readShutdownTimeout(options.shutdownTimeout),
  };
}

/** Throws if a factory returned an option that must be given next to it. */
export function assertBesideFactory(options: object): void {
  for (const option of ['dataSource', 'http'] as const) {
    if (option in options) {
      throw new OptionInvalidError(
        option,
        'the factory of forRootAsync() gave it too late. Put it beside `useFactory`',
      );
    }
  }
}

function readOnStored(onStored: StoredHook | undefined): StoredHook | undefined {
  if (onStored === undefined || typeof onStored === 'function') return onStored;
  throw new OptionInvalidError('onStored', `it must be a function, and is ${JSON.stringify(onStored)}`);
}

function readShutdownTimeout(timeout = 10_000): number {
  if (Number.isInteger(timeout) && timeout >= 0 && timeout <= LONGEST_TIMER) return timeout;
  throw new OptionInvalidError(
    'shutdownTimeout',
    `it must be a whole number of milliseconds, and is ${String(timeout)}`,
  );
}

function readScanRight({ scanAs, ...others }: FilesFactoryOptions): ScanRight | undefined {
  if ('scanAsUpdate' in others)
    throw new OptionInvalidError('scanAsUpdate', "it is gone. Say scanAs: 'update', 'read' or 'scan'");
  if (scanAs === undefined || ['read', 'update', 'scan'].includes(scanAs)) return scanAs;
  throw new OptionInvalidError('scanAs', `it must be 'read', 'update' or 'scan', and is ${JSON.stringify(scanAs)}`);
}

function readInstallation(installation: string | undefined): string | undefined {
  if (installation === undefined || (typeof installation === 'string' && installation.trim() !== ''))
    return installation;
  throw new OptionInvalidError('installation', `it must be a name, and is ${JSON.stringify(installation)}`);
}

function checkUploads(uploads: UploadPolicy, known: readonly string[]): void {
  if (uploads === 'managers' || uploads === 'authenticated' || typeof uploads === 'function') return;
  if (!Array.isArray(uploads?.storages)) {
    throw new OptionInvalidError('uploads', "it must be 'managers', 'authenticated', { storages: […] } or a function");
  }
  assertKnown('uploads', uploads.storages, known);
}

function checkCascade(cascade: Readonly<Record<string, true | readonly string[]>>, known: readonly string[]): void {
  for (const [ownerType, storages] of Object.entries(cascade)) {
    if (ownerType === 'user' && storages === true) {
      const why = 'it opens "user" for all storages, and uploads are their user\'s until a record names them. ';
      throw new OptionInvalidError('cascade', `${why}Name the storages that others may see: { user: ['avatars'] }`);
    }
    if (storages === true) continue;
    if (!Array.isArray(storages))
      throw new OptionInvalidError('cascade', `"${ownerType}" must be true or a list of storages`);
    assertKnown('cascade', storages, known);
  }
}

function assertKnown(option: string, named: readonly string[], known: readonly string[]): void {
  const unknown = named.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new OptionInvalidError(option, `no storage is named "${unknown}". Configured storages: ${known.join(', ')}`);
}
