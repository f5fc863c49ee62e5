import { Injectable } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { DecorationInvalidError } from '../errors/setup.errors.js';
import { ManagedFile } from '../files/managed-file.entity.js';
import { decoratedMethods } from '../task-queue/decorated-methods.js';
import { ON_FILE_SCANNED } from './on-file-scanned.decorator.js';
import type { ScannedContext } from './on-file-scanned.decorator.js';

type ScannedHook = (file: ManagedFile, context: ScannedContext) => unknown;

/** The methods with `@OnFileScanned()` among the application's providers. */
@Injectable()
export class ScanHooks implements OnModuleInit {
  #found: readonly ScannedHook[] | undefined;

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /** One after the other. Call it in the unit of work that has saved the verdict. */
  async run(file: ManagedFile, context: ScannedContext): Promise<void> {
    for (const hook of this.#hooks) await hook(Object.assign(new ManagedFile(), file), context);
  }

  onModuleInit(): void {
    void this.#hooks;
  }

  get #hooks(): readonly ScannedHook[] {
    return (this.#found ??= this.#find());
  }

  #find(): ScannedHook[] {
    type Args = [ManagedFile, ScannedContext];
    const methods = [...decoratedMethods<true, Args>(this.discovery, this.scanner, ON_FILE_SCANNED)];
    for (const { place, isSingleton } of methods) {
      if (isSingleton) continue;
      const why =
        'its provider must be a singleton, and so must what that injects: files are scanned outside of requests.';
      throw new DecorationInvalidError('@OnFileScanned()', place, why);
    }
    return methods.map(({ call }) => call);
  }
}
