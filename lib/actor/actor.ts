import { AsyncLocalStorage } from 'node:async_hooks';
import { type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { OptionInvalidError } from '../errors/setup.errors.js';
import { queueOf } from '../task-queue/unit-queue.js';
import { currentUnit } from '../unit-of-work/unit-of-work.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import type { FieldProblem } from '../errors/file-problem.js';
import { carried, carrying } from '../unit-of-work/scopes/ambient.js';

/**
 * Who is acting: `{ type: 'user', id: '42' }`. Anonymous is `null`. Further fields that the application sets reach its
 * policies.
 * @example declare module 'nestjs-files' { interface Actor { roles?: string[] } }
 */
export interface Actor {
  /** Usually `user`. */
  type: string;
  /** As text, also where ids are numbers. */
  id: string;
}

/** Tells who acts in a route's call: `(context) => context.switchToHttp().getRequest().user`. Asked once per call. */
export type ActorResolver = (context: ExecutionContext) => Actor | null | undefined | Promise<Actor | null | undefined>;

/** The application's `actor` option. */
export const ACTOR_RESOLVER = Symbol('ACTOR_RESOLVER');

interface Acting {
  readonly actor: Promise<Actor | null>;
  /** The unit of work that was open when it was said who acts. */
  readonly inside: UnitOfWork | undefined;
}

const storage = new AsyncLocalStorage<Acting>();

/** Runs `work` as this actor, whoever made the call around it. */
export function actAs<T>(actor: Actor | null, work: () => T): T {
  return storage.run({ actor: Promise.resolve(readActor(actor, 'actAs()')), inside: currentUnit() }, work);
}

/** Resolves the current actor. The application's resolver is called once per execution context. */
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

  /** Who `actAs` said, or the actor of the route around the current unit of work, whichever is nearer; else `null`. */
  current(): Promise<Actor | null> {
    return this.#stated() ?? Promise.resolve(null);
  }

  /**
   * As `current()`, and the actor of a route without a unit of work; undefined outside of calls, where the actor is
   * unknown.
   */
  known(): Promise<Actor | null> | undefined {
    const call = currentCall();
    return this.#stated() ?? (call && this.of(call.context));
  }

  #stated(): Promise<Actor | null> | undefined {
    const acting = storage.getStore();
    for (let unit = currentUnit(); unit; unit = unit.parent) {
      if (acting?.inside === unit) break;
      const queue = queueOf(unit);
      if (queue?.unit === unit && queue.context !== undefined) return this.of(queue.context);
    }
    return acting?.actor;
  }

  #ask(context: ExecutionContext): Promise<Actor | null> {
    return new Promise<Actor | null | undefined>((resolve) => resolve(this.resolve(context))).then((actor) =>
      readActor(actor),
    );
  }
}

/**
 * The actor with its type and id as texts, and its further fields. Throws `OptionInvalidError` if either is missing:
 * all such actors would be one and the same owner.
 */
export function readActor(actor: Actor | null | undefined, source = 'it'): Actor | null {
  if (actor === null || actor === undefined) return null;
  const { type, id }: { type?: unknown; id?: unknown } = actor;
  const text = idText(id);
  if (typeof type === 'string' && type !== '' && text !== undefined) {
    return text === id ? actor : withId(actor, text);
  }
  const has = typeof actor === 'object' ? `{ ${Object.keys(actor).join(', ')} }` : typeof actor;
  throw new OptionInvalidError(
    'actor',
    `${source} gave ${has}, which has no ${text === undefined ? 'id' : 'type'}. An actor is a type and an id, or null for nobody: ` +
      "(context) => { const { user } = context.switchToHttp().getRequest(); return user ? { type: 'user', id: user.sub } : null; }",
  );
}

/** The same actor, also where its class computes the id. */
function withId(actor: Actor, id: string): Actor {
  const own = Object.getOwnPropertyDescriptors(actor);
  const stated = { value: id, enumerable: true, writable: true, configurable: true };
  return Object.create(Object.getPrototypeOf(actor) as object, { ...own, id: stated }) as Actor;
}

/** A call, decorated with `@WithTaskQueue()` or not. */
export class CallScope {
  /** The problems with files that the validation of the call found. */
  readonly problems: FieldProblem[] = [];

  constructor(readonly context: ExecutionContext) {}
}

export function inCallScope<T>(scope: CallScope, work: () => T): T {
  return carrying(scope, work);
}

/** The call that is around. */
export function currentCall(): CallScope | undefined {
  return carried(CallScope);
}

/**
 * An id as it is stored and compared: as text, because users' ids are often numbers. `undefined` if the value is not an
 * id. That matters most for a missing property: `String(undefined)` would give everybody the same id.
 */
export function idText(id: unknown): string | undefined {
  if (typeof id === 'string') return id === '' ? undefined : id;
  if (typeof id === 'bigint' || (typeof id === 'number' && Number.isFinite(id))) return String(id);
  if (typeof id !== 'object' || id === null || Array.isArray(id)) return undefined;
  // Ids of classes that have a text, like ObjectId.
  const { toString }: { toString?: () => string } = id;
  return toString === undefined || toString === Object.prototype.toString ? undefined : toString.call(id);
}
