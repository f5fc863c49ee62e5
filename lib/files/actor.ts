import { Inject, Injectable } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { queueOf } from '../task-queue/current-queue.js';
import { currentUnit } from '../unit-of-work/ambient.js';

/** Who is acting: `{ type: 'user', id: '42' }`. Anonymous is `null`. */
export type Actor = {
  /** Usually `user`. */
  type: string;
  /** As text, also where ids are numbers. */
  id: string;
};

/** Tells who acts in a route's call: `(context) => context.switchToHttp().getRequest().user`. Asked once per call. */
export type ActorResolver = (context: ExecutionContext) => Actor | null | undefined | Promise<Actor | null | undefined>;

/** The application's `actor` option. */
export const ACTOR_RESOLVER = Symbol('ACTOR_RESOLVER');

/** Tells who is acting. The application's resolver is asked once per execution context. */
@Injectable()
export class ActorSource {
  readonly #resolved = new WeakMap<ExecutionContext, Promise<Actor | null>>();

  constructor(@Inject(ACTOR_RESOLVER) private readonly resolve: ActorResolver) {}

  /** The actor of a route's call. */
  of(context: ExecutionContext): Promise<Actor | null> {
    let actor = this.#resolved.get(context);
    if (actor === undefined) {
      actor = this.#ask(context);
      this.#resolved.set(context, actor);
    }
    return actor;
  }

  /** The actor of the current call: of the nearest unit of work that a route opened; `null` outside of any. */
  async current(): Promise<Actor | null> {
    let queue = queueOf(currentUnit());
    while (queue && queue.context === undefined) queue = queueOf(queue.unit.parent);
    return queue?.context === undefined ? null : this.of(queue.context);
  }

  async #ask(context: ExecutionContext): Promise<Actor | null> {
    const actor = await this.resolve(context);
    // Ids of users are often numbers; in the database and in comparisons they are strings.
    return actor ? { type: String(actor.type), id: String(actor.id) } : null;
  }
}
