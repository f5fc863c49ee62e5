import { Injectable, Logger } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { RouteExplorer } from '../task-queue/route-explorer.js';
import { carriesTransferOwnership } from './carries-transfer-ownership.js';

/** Warns at boot about routes that would answer 500 to every body with a file: validated outside of a unit of work. */
@Injectable()
export class UndecoratedRoutesCheck implements OnModuleInit {
  readonly #logger = new Logger('TransferOwnership');

  constructor(private readonly explorer: RouteExplorer) {}

  onModuleInit(): void {
    for (const { place, isDecorated, bodyTypes } of this.explorer.routes()) {
      if (isDecorated || !bodyTypes.some((type) => carriesTransferOwnership(type))) continue;
      this.#logger.warn(
        `${place} takes a body with @TransferOwnership() but lacks @WithTaskQueue(): put it on the handler.`,
      );
    }
  }
}
