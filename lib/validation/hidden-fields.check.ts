import { Injectable, Logger } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { RouteExplorer } from '../task-queue/route-explorer.js';
import { hiddenFields } from './hidden-fields.js';

/** Warns at boot about fields with `@TransferOwnership()` that pipes will not see. A guarded record that names such a file is refused. */
@Injectable()
export class HiddenFieldsCheck implements OnModuleInit {
  readonly #logger = new Logger('TransferOwnership');

  constructor(private readonly explorer: RouteExplorer) {}

  onModuleInit(): void {
    for (const { place, isDecorated, bodyTypes } of this.explorer.routes()) {
      if (!isDecorated) continue;
      for (const hidden of bodyTypes.flatMap((type) => hiddenFields(type))) this.#logger.warn(`${place}: ${hidden}`);
    }
  }
}
