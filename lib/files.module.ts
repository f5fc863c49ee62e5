import { Module } from '@nestjs/common';
import type { DynamicModule, NestModule, OnApplicationShutdown, Provider } from '@nestjs/common';
import {
  APP_FILTER,
  APP_INTERCEPTOR,
  ApplicationConfig,
  DiscoveryModule,
  ModuleRef,
  ModulesContainer,
} from '@nestjs/core';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { ACCESS_OPTIONS } from './access/access-options.js';
import { FilesAccess } from './access/files-access.js';
import { PolicyRegistry } from './access/policy-registry.js';
import { FilesAudit } from './audit/files-audit.js';
import { EntitiesMissingError, OptionInvalidError } from './errors/setup.errors.js';
import { ACTOR_RESOLVER, ActorSource } from './actor/actor.js';
import { ByteRemovals, CONCURRENT_REMOVALS } from './files/content/byte-removals.js';
import { ContentBatches } from './files/content/content-batches.js';
import { ContentCopies } from './files/content/content-copies.js';
import { ContentStore } from './files/content/content-store.js';
import { FileIntent } from './files/intents/file-intent.entity.js';
import { OwnerCopies } from './files/owner-copies.js';
import { BatchCreations } from './files/batch-creations.js';
import { BatchMoves } from './files/batch-moves.js';
import { FileRegistration } from './files/file-registration.js';
import { DerivedFiles } from './files/derived/derived-files.js';
import { DerivedRecipes } from './files/derived/derived-recipes.js';
import { DEFAULT_STORAGE, FileWriter } from './files/file-writer.js';
import { FilesAddresses } from './files/files-addresses.js';
import { DRAFT_OPTIONS } from './files/drafts/draft-options.js';
import { Drafts } from './files/drafts/drafts.js';
import { FilesDrafts } from './files/drafts/files-drafts.js';
import { FilesMirror } from './files/files-mirror.js';
import { FilesMover } from './files/files-mover.js';
import { FilesService } from './files/files.service.js';
import { FilesSweeper } from './files/intents/files-sweeper.js';
import { IntentEndings } from './files/intents/intent-endings.js';
import { IntentJournal } from './files/intents/intent-journal.js';
import { ManagedFile } from './files/managed-file.entity.js';
import { OwnershipPort } from './files/ownership-port.js';
import { ON_STORED, StoredHooks } from './files/stored/stored-hooks.js';
import { DIRECT_UPLOAD_OPTIONS } from './files/uploads/direct-upload-options.js';
import { DirectUploads } from './files/uploads/direct-uploads.js';
import { FileUpload } from './files/uploads/file-upload.entity.js';
import { ResumableBeginnings } from './files/resumable/resumable-beginnings.js';
import { ResumableUploads } from './files/resumable/resumable-uploads.js';
import { RunningHashes } from './files/resumable/running-hashes.js';
import { UploadAppends } from './files/resumable/upload-appends.js';
import { UploadCharges } from './files/resumable/upload-charges.js';
import { UPLOAD_LEASE, UPLOAD_LEASE_DEFAULT, UploadLeases } from './files/resumable/upload-leases.js';
import { UploadJoins } from './files/resumable/upload-joins.js';
import { UploadBeginnings } from './files/uploads/upload-beginnings.js';
import { UploadCompletion } from './files/uploads/upload-completion.js';
import { UploadEndings } from './files/uploads/upload-endings.js';
import { UploadSweep } from './files/uploads/upload-sweep.js';
import { StorageMark } from './files/marks/storage-mark.entity.js';
import { INSTALLATION, StorageMarks } from './files/marks/storage-marks.js';
import { SWEEPER_OPTIONS } from './files/intents/sweeper-options.js';
import { assertBesideFactory, checkOptions, FILES_OPTIONS } from './files.options.js';
import type {
  CheckedFilesOptions,
  FilesModuleAsyncOptions,
  FilesModuleOptions,
  FilesModuleShape,
} from './files.options.js';
import { ActionRoutes, ActionUploads } from './http/form/action-uploads.js';
import { ActionRoutesCheck } from './http/routes/action-routes.check.js';
import { UPLOAD_IDLE_TIMEOUT } from './http/form/arrival.js';
import { DOWNLOAD_IDLE_TIMEOUT } from './http/download/departure.js';
import { Downloads } from './http/download/downloads.js';
import { FileAnswers, SHOWN_METADATA } from './http/routes/file-answers.js';
import { CLIENT_FOLDER, ClientModules, PACKED_CLIENT } from './http/routes/assets-endpoints.js';
import { FileGate } from './http/routes/file-gate.js';
import { FileLists } from './http/routes/file-lists.js';
import { createFilesControllers } from './http/routes/files.controller.js';
import type { FilesControllers } from './http/routes/files.controller.js';
import { FilesErrorFilter } from './http/answers/files-error.filter.js';
import { readHttpOptions, UPLOAD_IDLE_DEFAULT } from './http/http-options.js';
import { FastifyRawBody } from './http/form/raw-body.js';
import { RouteAddresses } from './http/routes/route-addresses.js';
import { Uploads } from './http/form/uploads.js';
import { TusAnswers } from './http/tus/tus-answers.js';
import { TusProtocol } from './http/tus/tus-protocol.js';
import { Derivations } from './derivation/derivations.js';
import { createDeriveHandler, DERIVE_HANDLER } from './derivation/derive-job.js';
import { FilesJobs } from './jobs/files-jobs.js';
import { JobHandlers } from './jobs/job-handlers.js';
import { JobRuns } from './jobs/job-runs.js';
import { JOBS_OPTIONS } from './jobs/jobs-options.js';
import { QueuedJob } from './jobs/outbox/queued-job.entity.js';
import { UnitJobs } from './jobs/unit-jobs.js';
import { FileLink } from './links/file-link.entity.js';
import { FilesLinks } from './links/files-links.js';
import { LINKS_OPTIONS } from './links/links-options.js';
import { OneTimeLinks } from './links/one-time-links.js';
import { FileTransfer } from './ownership/file-transfer.entity.js';
import { FILES_TABLES } from './migrations/files-schema.js';
import { ServerCheck } from './migrations/server-check.js';
import {
  ATTACH_PENDING,
  CHANGEABLE_OWNERS,
  FILE_SIGHT,
  MANAGER_CHECK,
  PREPARED_STATEMENTS,
  TransferRuntime,
} from './ownership/transfer-runtime.js';
import type { ChangeableOwners, FileSight } from './ownership/transfer-runtime.js';
import { Ownership } from './ownership/ownership.service.js';
import { FileUsage } from './ownership/quotas/file-usage.entity.js';
import { QUOTAS } from './ownership/quotas/quota-options.js';
import { Quotas } from './ownership/quotas/quotas.js';
import { RecordGuard } from './ownership/guard/record-guard.js';
import { RecordsElsewhereCheck } from './ownership/records-elsewhere.check.js';
import { UnseenWritesCheck } from './ownership/guard/unseen-writes.check.js';
import { DatabaseCascadesCheck } from './ownership/removal/database-cascades.check.js';
import { OwnerRemovals } from './ownership/removal/owner-removals.js';
import { VALIDATION_OPTIONS } from './ownership/validation-options.js';
import { FilesScans } from './scan/files-scans.js';
import { createScanHandler, SCAN_HANDLER } from './scan/scan-job.js';
import { ScanHooks } from './scan/scan-hooks.js';
import { ScanRuns } from './scan/scan-runs.js';
import { SCANNING_OPTIONS } from './scan/scanning-options.js';
import { FileStaging } from './staging/file-staging.js';
import { StoredBytes } from './storage/adapters/stored-bytes.entity.js';
import { getStorageToken } from './storage/inject-storage.js';
import { StorageAdmission } from './storage/storage-admission.js';
import { OWNER_SCANNERS, STORAGES, StorageRegistry } from './storage/storage-registry.js';
import { CallPreparation } from './task-queue/call-preparation.js';
import { DecoratedRoutesCheck } from './task-queue/decorated-routes.check.js';
import { JobIntake } from './task-queue/job-intake.js';
import { EventHandlers } from './task-queue/event-handlers.js';
import { RouteExplorer } from './task-queue/route-explorer.js';
import { TaskQueue } from './task-queue/task-queue.js';
import { Transactor } from './unit-of-work/transactor.js';
import { SchemaRoutesCheck } from './validation/schema-routes.check.js';
import { FieldProblemsInterceptor } from './validation/field-problems.interceptor.js';
import { HiddenFieldsCheck } from './validation/hidden-fields.check.js';
import { UndecoratedRoutesCheck } from './validation/undecorated-routes.check.js';

/** The entities of the library, for data sources that list theirs: `entities: [...FILES_ENTITIES, …]`. */
export const FILES_ENTITIES = [
  ManagedFile,
  FileIntent,
  StoredBytes,
  StorageMark,
  FileTransfer,
  FileLink,
  FileUsage,
  FileUpload,
  QueuedJob,
] as const;

const PUBLIC_PROVIDERS = [
  ActorSource,
  DerivedFiles,
  DirectUploads,
  FileStaging,
  FilesAccess,
  FilesAudit,
  FilesDrafts,
  FilesJobs,
  FilesLinks,
  FilesMirror,
  FilesMover,
  FilesScans,
  FilesService,
  FilesSweeper,
  Quotas,
  StorageRegistry,
  TaskQueue,
];

/**
 * Managed files for the whole application: import it once, in the root module.
 * @example FilesModule.forRoot({ storages: { default: fsStorage({ root: 'var/files' }) } })
 */
@Module({})
export class FilesModule implements NestModule, OnApplicationShutdown {
  /** @internal */
  constructor(
    private readonly transactor: Transactor,
    private readonly filter: FilesErrorFilter,
    private readonly journal: IntentJournal,
    modules: ModulesContainer,
  ) {
    const imported = [...modules.values()].filter(({ metatype }) => metatype === FilesModule);
    if (imported.length > 1) {
      throw new OptionInvalidError(
        'storages',
        'the module is imported twice. Import it once, in the root module, with all storages',
      );
    }
  }

  /** The module with its options; throws `OptionInvalidError` at boot for an invalid option. */
  static forRoot(options: FilesModuleOptions): DynamicModule {
    const source = { provide: FILES_OPTIONS, useFactory: () => checkOptions(options) };
    return assemble(options, [source, ...storageProviders(Object.keys(options.storages ?? {}))]);
  }

  /**
   * As `forRoot()`, with options from a factory. Options that decide about entities and routes are given next to the
   * factory.
   * @example
   * FilesModule.forRootAsync({
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({ storages: storagesOf(config) }),
   *   http: { path: 'api/files' },
   * })
   */
  static forRootAsync(options: FilesModuleAsyncOptions): DynamicModule {
    const { imports = [], inject = [], useFactory, storageNames = [] } = options;
    const source = {
      provide: FILES_OPTIONS,
      inject,
      useFactory: async (...dependencies: never[]) => {
        const made = await useFactory(...dependencies);
        assertBesideFactory(made);
        return checkOptions(made);
      },
    };
    return assemble(options, [source, ...storageProviders(storageNames)], imports);
  }

  /** @internal */
  configure(): void {
    // The last moment before Nest registers the routes with their filters: the application has added its own.
    this.filter.comeFirst();
  }

  /**
   * HTTP is closed by now. The parts of the module have no hooks of their own, which would come first: what is still
   * open needs all of them.
   * @internal
   */
  async onApplicationShutdown(): Promise<void> {
    await this.transactor.drain();
    await this.journal.close();
    this.transactor.closeAtDestroy();
  }
}

/** Nothing is injected by it: Nest makes the provider, which adds the routes. */
const DERIVED_ROUTES = Symbol('DERIVED_ROUTES');

const NO_ROUTES: FilesControllers = {
  all: [],
  addressed: { content: undefined, link: undefined },
  addDerived: () => {},
};

function assemble(
  { dataSource, http = {} }: FilesModuleShape,
  providers: Provider[],
  imports: NonNullable<DynamicModule['imports']> = [],
): DynamicModule {
  const storageTokens = providers.flatMap((provider) =>
    'provide' in provider && typeof provider.provide === 'string' ? [provider.provide] : [],
  );
  const checked = http === false ? undefined : readHttpOptions(http);
  const { all: controllers, addressed, addDerived } = checked ? createFilesControllers(checked) : NO_ROUTES;
  return {
    module: FilesModule,
    global: true,
    imports: [...imports, DiscoveryModule, TypeOrmModule.forFeature([...FILES_ENTITIES], dataSource)],
    providers: [
      ...providers,
      option(ACCESS_OPTIONS, (options) => options),
      option(ACTOR_RESOLVER, ({ actor }) => actor),
      option(DEFAULT_STORAGE, ({ defaultStorage }) => defaultStorage),
      option(STORAGES, ({ storages }) => storages),
      option(LINKS_OPTIONS, ({ links }) => links),
      {
        provide: FilesAddresses,
        inject: [ApplicationConfig, ModulesContainer],
        useFactory: (config: ApplicationConfig, modules: ModulesContainer) =>
          new RouteAddresses(addressed, FilesModule, config, modules),
      },
      { provide: DERIVED_ROUTES, inject: [DerivedRecipes], useFactory: addDerived },
      { provide: SHOWN_METADATA, useValue: checked?.metadata },
      { provide: DOWNLOAD_IDLE_TIMEOUT, useValue: checked?.downloadIdleTimeout },
      { provide: UPLOAD_IDLE_TIMEOUT, useValue: checked?.uploadIdleTimeout ?? UPLOAD_IDLE_DEFAULT },
      OneTimeLinks,
      option(SWEEPER_OPTIONS, ({ sweeper }) => sweeper),
      {
        provide: Transactor,
        inject: [getDataSourceToken(dataSource), FILES_OPTIONS],
        useFactory: (source: DataSource, { shutdownTimeout }: CheckedFilesOptions) =>
          transactorOf(source, shutdownTimeout, dataSource),
      },
      option(JOBS_OPTIONS, ({ jobs }) => jobs),
      JobHandlers,
      JobRuns,
      { provide: JobIntake, useClass: UnitJobs },
      IntentJournal,
      option(INSTALLATION, ({ installation }) => installation),
      { provide: StorageAdmission, useClass: StorageMarks },
      option(CONCURRENT_REMOVALS, ({ concurrentRemovals }) => concurrentRemovals),
      ByteRemovals,
      IntentEndings,
      ContentStore,
      FileWriter,
      FileRegistration,
      BatchCreations,
      BatchMoves,
      option(ON_STORED, ({ onStored }) => onStored),
      StoredHooks,
      option(DRAFT_OPTIONS, ({ drafts }) => drafts),
      Drafts,
      ContentBatches,
      ContentCopies,
      OwnerCopies,
      option(DIRECT_UPLOAD_OPTIONS, ({ directUploads }) => directUploads),
      UploadBeginnings,
      UploadCompletion,
      UploadEndings,
      ResumableBeginnings,
      ResumableUploads,
      RunningHashes,
      UploadAppends,
      UploadCharges,
      { provide: UPLOAD_LEASE, useValue: UPLOAD_LEASE_DEFAULT },
      UploadLeases,
      UploadJoins,
      UploadSweep,
      { provide: OwnershipPort, useClass: Ownership },
      option(SCANNING_OPTIONS, ({ scanning }) => scanning),
      option(OWNER_SCANNERS, ({ scanning }) => scanning.owners),
      option(ATTACH_PENDING, ({ scanning }) => scanning.attachPending),
      ScanHooks,
      ScanRuns,
      {
        provide: SCAN_HANDLER,
        inject: [ScanRuns, SCANNING_OPTIONS, StorageRegistry],
        useFactory: createScanHandler,
      },
      DerivedRecipes,
      Derivations,
      { provide: DERIVE_HANDLER, inject: [Derivations, DerivedRecipes], useFactory: createDeriveHandler },
      option(QUOTAS, ({ quotas }) => quotas),
      option(MANAGER_CHECK, ({ isManager }) => isManager),
      option(PREPARED_STATEMENTS, ({ preparedStatements }) => preparedStatements),
      option(VALIDATION_OPTIONS, ({ validation }) => validation),
      { provide: FILE_SIGHT, inject: [ModuleRef], useFactory: fileSight },
      { provide: CHANGEABLE_OWNERS, inject: [ModuleRef], useFactory: changeableOwners },
      TransferRuntime,
      OwnerRemovals,
      RecordGuard,
      DatabaseCascadesCheck,
      UnseenWritesCheck,
      RecordsElsewhereCheck,
      FilesErrorFilter,
      { provide: APP_FILTER, useExisting: FilesErrorFilter },
      FieldProblemsInterceptor,
      { provide: APP_INTERCEPTOR, useExisting: FieldProblemsInterceptor },
      PolicyRegistry,
      RouteExplorer,
      EventHandlers,
      ServerCheck,
      { provide: FILES_TABLES, useValue: FILES_ENTITIES },
      DecoratedRoutesCheck,
      SchemaRoutesCheck,
      UndecoratedRoutesCheck,
      HiddenFieldsCheck,
      ActionRoutes,
      ActionRoutesCheck,
      FastifyRawBody,
      { provide: CallPreparation, useClass: ActionUploads },
      ...PUBLIC_PROVIDERS,
      ...(checked?.assets ? [ClientModules, { provide: CLIENT_FOLDER, useValue: PACKED_CLIENT }] : []),
      ...(http === false ? [] : [FileAnswers, FileGate, FileLists, Downloads, Uploads, TusAnswers, TusProtocol]),
    ],
    controllers: [...controllers],
    exports: [...PUBLIC_PROVIDERS, CallPreparation, EventHandlers, ...storageTokens],
  };
}

function option<T>(provide: symbol, pick: (options: CheckedFilesOptions) => T): Provider {
  return { provide, inject: [FILES_OPTIONS], useFactory: pick };
}

function storageProviders(names: readonly string[]): Provider[] {
  return names.map((name) => ({
    provide: getStorageToken(name),
    inject: [StorageRegistry],
    useFactory: (storages: StorageRegistry) => storages.get(name),
  }));
}

/** FilesAccess needs the files, and these need the runtime that calls it, so it is looked up at the first call. */
function fileSight(module: ModuleRef): FileSight {
  return (actor, files) => module.get(FilesAccess).sight(actor, files);
}

function changeableOwners(module: ModuleRef): ChangeableOwners {
  return (actor, type, ids) => module.get(FilesAccess).changeable(actor, type, ids);
}

function transactorOf(dataSource: DataSource, shutdownTimeout: number, name = 'default'): Transactor {
  const missing = FILES_ENTITIES.filter((entity) => !dataSource.hasMetadata(entity));
  // A data source knows no entities before it is initialized.
  if (dataSource.isInitialized && missing.length > 0) {
    throw new EntitiesMissingError(
      name,
      missing.map((entity) => entity.name),
    );
  }
  return new Transactor(dataSource, shutdownTimeout);
}
