import { Injectable } from '@nestjs/common';
import { RouteExplorer } from '../../task-queue/route-explorer.js';
import { carriesUploads } from '../../staging/upload-fields.js';
import { leaveFormsRaw } from '../form/raw-body.js';

/** A decorated route whose body takes files. */
export interface ActionRoute {
  /** `Controller.method`, for messages. */
  readonly place: string;
  readonly handler: object;
  /** The classes of its body with `@UploadAs()` somewhere. */
  readonly bodyTypes: readonly unknown[];
}

/** Knows the decorated routes whose body takes files with the other fields of a form. */
@Injectable()
export class ActionRoutes {
  readonly #routes = new Map<object, ActionRoute>();

  // Here, because hooks of modules run when the platform has the routes already.
  constructor(explorer: RouteExplorer) {
    for (const { place, handler, isDecorated, bodyTypes } of explorer.routes()) {
      const types = bodyTypes.filter((type) => carriesUploads(type));
      if (!isDecorated || types.length === 0) continue;
      leaveFormsRaw(handler);
      this.#routes.set(handler, { place, handler, bodyTypes: types });
    }
  }

  all(): readonly ActionRoute[] {
    return [...this.#routes.values()];
  }

  find(handler: object): ActionRoute | undefined {
    return this.#routes.get(handler);
  }
}
