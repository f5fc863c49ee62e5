import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * The scopes that surround an asynchronous flow; a chain, because units of several data sources nest. `here.ts` reads
 * scopes and transactions in it.
 */
export interface AmbientNode {
  readonly kind: 'scope' | 'foreign' | 'turn' | 'detached' | 'carried';
  readonly enclosing: AmbientNode | undefined;
}

/** The time for which one statement has the connection of a unit. */
export interface Turn extends AmbientNode {
  readonly kind: 'turn';
  /** The transaction that the statement is in. */
  readonly transaction: object;
  over: boolean;
}

/** A value that a flow carries along. */
interface Carried extends AmbientNode {
  readonly kind: 'carried';
  readonly value: object;
}

const storage = new AsyncLocalStorage<AmbientNode | undefined>();

export function ambientNode(): AmbientNode | undefined {
  return storage.getStore();
}

/** Runs `fn` inside of the node; undefined means outside of all nodes. */
export function within<T>(node: AmbientNode | undefined, fn: () => T): T {
  return storage.run(node, fn);
}

/** Runs `fn` outside of any unit of work: its queries use the pool, and it may outlive the unit. */
export function detach<T>(fn: () => T, enclosing = ambientNode()): T {
  return enclosing ? within<T>({ kind: 'detached', enclosing }, fn) : fn();
}

/** Whether the flow is in the turn of one of the transaction's statements. */
export function isInTurn(transaction: object): boolean {
  for (let node = ambientNode(); node; node = node.enclosing) {
    if (isTurn(node) && node.transaction === transaction && !node.over) return true;
  }
  return false;
}

/**
 * Lets the flow of `fn` carry the value along. There is one AsyncLocalStorage for all values, because Node.js passes
 * each storage on to each promise.
 */
export function carrying<T>(value: object, fn: () => T): T {
  const node: Carried = { kind: 'carried', enclosing: ambientNode(), value };
  return within(node, fn);
}

/** The nearest value of the class that the flow carries, inside of any scope. */
export function carried<T extends object>(kind: abstract new (...args: never[]) => T): T | undefined {
  for (let node = ambientNode(); node; node = node.enclosing) {
    if (isCarried(node) && node.value instanceof kind) return node.value;
  }
  return undefined;
}

function isTurn(node: AmbientNode): node is Turn {
  return node.kind === 'turn';
}

function isCarried(node: AmbientNode): node is Carried {
  return node.kind === 'carried';
}
