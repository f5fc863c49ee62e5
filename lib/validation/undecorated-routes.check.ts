import { Injectable, Logger } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { RouteExplorer } from '../task-queue/route-explorer.js';
import { carriesUploads } from '../staging/upload-fields.js';
import { carriesTransferOwnership } from './rules/transfer-ownership.rule.js';

const RULES = [
  ['@TransferOwnership()', (type: unknown) => carriesTransferOwnership(type)],
  ['@UploadAs()', (type: unknown) => carriesUploads(type)],
] as const;

/**
 * Warns at boot about routes that lack `@WithTaskQueue()` but whose body names or uploads files. Such a route answers
 * every body with a file with 500, because its pipes run outside of a unit of work.
 */
@Injectable()
export class UndecoratedRoutesCheck implements OnModuleInit {
  readonly #logger = new Logger('TransferOwnership');

  constructor(private readonly explorer: RouteExplorer) {}

  onModuleInit(): void {
    for (const { place, isDecorated, bodyTypes } of this.explorer.routes()) {
      if (isDecorated) continue;
      for (const [decorator, carries] of RULES) {
        if (!bodyTypes.some(carries)) continue;
        this.#logger.warn(`${place} takes a body with ${decorator} but lacks @WithTaskQueue(): put it on the handler.`);
      }
    }
  }
}
