import { Inject, Injectable, Optional } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { decoratedMethods } from '../../task-queue/decorated-methods.js';
import { TaskQueue } from '../../task-queue/task-queue.js';
import { DerivedFiles } from '../derived/derived-files.js';
import { SCAN_JOB, scanOf } from '../scan/scan-state.js';
import { ManagedFile } from '../managed-file.entity.js';
import { ON_FILE_STORED } from './on-file-stored.decorator.js';
import type { StoredHook, StoringContext, StoringOperation } from './on-file-stored.decorator.js';

/** The application's `onStored` option. */
export const ON_STORED = Symbol('ON_STORED');

/**
 * The hooks of the application for files whose content is new: the option `onStored`, then the methods with
 * `@OnFileStored()`.
 */
@Injectable()
export class StoredHooks implements OnModuleInit {
  #found: readonly StoredHook[] | undefined;

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    @Inject(ON_STORED) private readonly option: StoredHook | undefined,
    private readonly queue: TaskQueue,
    @Optional() private readonly derived?: DerivedFiles,
  ) {}

  /**
   * Queues the scan of the content, where it has to be scanned, or else what is derived from it, and calls the hooks
   * one after the other, because they share a transaction. Call it in the unit of work that has written the row.
   */
  async run(file: ManagedFile, operation: StoringOperation): Promise<void> {
    this.scan(file);
    this.derived?.queueFor(file);
    for (const hook of this.#hooks) {
      // A copy: what a hook changes on the object is not saved.
      const copy = Object.assign(new ManagedFile(), file, { metadata: structuredClone(file.metadata) });
      await hook(copy, { operation });
    }
  }

  /** Queues the scan of pending content, in the unit of work that has written the row. */
  scan(file: ManagedFile): void {
    if (file.scan === 'pending') this.queue.enqueue(SCAN_JOB, scanOf(file));
  }

  onModuleInit(): void {
    void this.#hooks;
  }

  get #hooks(): readonly StoredHook[] {
    return (this.#found ??= this.#find());
  }

  #find(): StoredHook[] {
    const hooks: StoredHook[] = this.option ? [this.option] : [];
    const methods = decoratedMethods<true, [ManagedFile, StoringContext]>(this.discovery, this.scanner, ON_FILE_STORED);
    for (const { place, isSingleton, call } of methods) {
      if (!isSingleton) {
        const why =
          'its provider must be a singleton, and so must what that injects: files are stored outside of requests, too.';
        throw new DecorationInvalidError('@OnFileStored()', place, why);
      }
      hooks.push(async (file, context) => void (await call(file, context)));
    }
    return hooks;
  }
}
