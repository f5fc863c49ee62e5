import { Injectable, Logger } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { RouteExplorer } from '../task-queue/route-explorer.js';
import { carriesUploads } from '../staging/upload-fields.js';
import { carriesTransferOwnership } from './rules/transfer-ownership.rule.js';

const RULES = [
  ['@TransferOwnership()', (type: unknown) => carriesTransferOwnership(type)],
  ['@UploadAs()', (type: unknown) => carriesUploads(type)],
] as const;

/** Warns at boot about routes that would answer 500 to every body with a file: validated outside of a unit of work. */
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
