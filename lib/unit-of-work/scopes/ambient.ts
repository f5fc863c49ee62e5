import { AsyncLocalStorage } from 'node:async_hooks';
import type { DataSource, QueryRunner } from 'typeorm';
import type { ForeignTransaction } from '../transaction/foreign-transaction.js';
import type { Scope } from './scope.js';

/** What an asynchronous flow is inside of; a chain, because units of several data sources nest. */
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

/** Something that a flow carries along for whoever looks for it. */
interface Carried extends AmbientNode {
  readonly kind: 'carried';
  readonly value: object;
}

const storage = new AsyncLocalStorage<AmbientNode | undefined>();

export function ambientNode(): AmbientNode | undefined {
  return storage.getStore();
}

/** Runs `fn` inside of the node; undefined is the outside of everything. */
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

/** Lets the flow of `fn` carry the value along. By the one storage that there is, because Node.js hands each of them on to each promise. */
export function carrying<T>(value: object, fn: () => T): T {
  const node: Carried = { kind: 'carried', enclosing: ambientNode(), value };
  return within(node, fn);
}

/** The nearest value of the class that the flow carries, whatever it is inside of. */
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

/** The innermost scope or foreign transaction of the data source in this flow, ended ones included. */
export function ambientOf(dataSource: DataSource): Scope | ForeignTransaction | undefined {
  for (let node = ambientNode(); node && node.kind !== 'detached'; node = node.enclosing) {
    if (isPlace(node) && node.dataSource === dataSource) return node;
  }
  return undefined;
}

/** The innermost place of the nesting that this flow is in, also where that has ended. */
export function scopeHere(): Scope | undefined {
  for (let node = ambientNode(); node && node.kind !== 'detached'; node = node.enclosing) {
    if (isPlace(node) && node.kind === 'scope') return node;
  }
  return undefined;
}

/** Whether the flow began in a unit of the data source: it is an effect of one, or was detached from it. */
export function hasUnitAround(dataSource: DataSource): boolean {
  for (let node = ambientNode(); node; node = node.enclosing) {
    if (isPlace(node) && node.kind === 'scope' && node.dataSource === dataSource) return true;
  }
  return false;
}

/** The innermost open transaction of another query runner of these data sources around this flow, also where the flow was detached from it. */
export function openTransactionAround(
  dataSources: { has(dataSource: DataSource): boolean },
  runner: QueryRunner,
): { where: string; detached: boolean } | undefined {
  let detached = false;
  for (let node = ambientNode(); node; node = node.enclosing) {
    detached ||= node.kind === 'detached';
    if (!isPlace(node) || !dataSources.has(node.dataSource)) continue;
    if (node.kind === 'scope' && node.isActive) return { where: 'a unit of work', detached };
    if (node.kind === 'foreign' && node.runner !== runner && node.runner.isTransactionActive)
      return { where: 'a transaction', detached };
  }
  return undefined;
}

function isPlace(node: AmbientNode): node is Scope | ForeignTransaction {
  return node.kind === 'scope' || node.kind === 'foreign';
}
