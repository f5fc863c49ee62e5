import { AsyncLocalStorage } from 'node:async_hooks';
import type { DataSource, QueryRunner } from 'typeorm';
import type { BegunWith } from '../dialects/dialect.js';
import type { Line } from '../transaction/line.js';
import type { Scope } from './scope.js';
import type { UnitOfWork } from '../unit-of-work.js';
import type { UnitTransaction } from '../transaction/unit-transaction.js';

/** The callback of a transaction that the application opened. */
export interface ForeignTransaction {
  readonly kind: 'foreign';
  readonly enclosing: AmbientNode | undefined;
  readonly dataSource: DataSource;
  readonly runner: QueryRunner;
  /** What it was begun with. */
  readonly isolation: BegunWith;
  /** Units that join here wait for each other. */
  readonly line: Line;
}

/** The time for which one statement has the unit's connection. */
export interface Turn {
  readonly kind: 'turn';
  readonly enclosing: AmbientNode | undefined;
  readonly transaction: UnitTransaction;
  over: boolean;
}

/** Work that was taken out of whatever encloses it. */
export interface Detachment {
  readonly kind: 'detached';
  readonly enclosing: AmbientNode | undefined;
}

/** Something that a flow carries along for whoever looks for it. */
export interface Carried {
  readonly kind: 'carried';
  readonly enclosing: AmbientNode | undefined;
  readonly value: object;
}

/** What an asynchronous flow is inside of; a chain, because units of several data sources nest. */
export type AmbientNode = Scope | ForeignTransaction | Turn | Detachment | Carried;

const storage = new AsyncLocalStorage<AmbientNode | undefined>();

export function ambientNode(): AmbientNode | undefined {
  return storage.getStore();
}

/** Runs `fn` inside of the node; undefined is the outside of everything. */
export function within<T>(node: AmbientNode | undefined, fn: () => T): T {
  return storage.run(node, fn);
}

/** The innermost scope or foreign transaction of the data source in this flow, ended ones included. */
export function ambientOf(dataSource: DataSource): Scope | ForeignTransaction | undefined {
  for (let node = storage.getStore(); node && node.kind !== 'detached'; node = node.enclosing) {
    if ((node.kind === 'scope' || node.kind === 'foreign') && node.dataSource === dataSource) return node;
  }
  return undefined;
}

/** The innermost open transaction of another query runner of these data sources around this flow, also where the flow was detached from it. */
export function openTransactionAround(
  dataSources: { has(dataSource: DataSource): boolean },
  runner: QueryRunner,
): { where: string; detached: boolean } | undefined {
  let detached = false;
  for (let node = storage.getStore(); node; node = node.enclosing) {
    if (node.kind === 'detached') detached = true;
    else if (node.kind === 'turn' || node.kind === 'carried' || !dataSources.has(node.dataSource)) continue;
    else if (node.kind === 'scope' && node.isActive) return { where: 'a unit of work', detached };
    else if (node.kind === 'foreign' && node.runner !== runner && node.runner.isTransactionActive)
      return { where: 'a transaction', detached };
  }
  return undefined;
}

/** Whether the flow began in a unit of the data source: it is an effect of one, or was detached from it. */
export function hasUnitAround(dataSource: DataSource): boolean {
  for (let node = storage.getStore(); node; node = node.enclosing) {
    if (node.kind === 'scope' && node.dataSource === dataSource) return true;
  }
  return false;
}

/** Whether the flow is in the turn of one of the transaction's statements. */
export function isInTurn(transaction: UnitTransaction): boolean {
  for (let node = storage.getStore(); node; node = node.enclosing) {
    if (node.kind === 'turn' && node.transaction === transaction && !node.over) return true;
  }
  return false;
}

/** The innermost place of the nesting that this flow is in, also where that has ended. */
export function scopeHere(): Scope | undefined {
  for (let node = storage.getStore(); node && node.kind !== 'detached'; node = node.enclosing) {
    if (node.kind === 'scope') return node;
  }
  return undefined;
}

/** The unit of work that this flow is in; undefined outside of one, and where it has ended. */
export function currentUnit(): UnitOfWork | undefined {
  for (let node = storage.getStore(); node && node.kind !== 'detached'; node = node.enclosing) {
    if (node.kind === 'scope') return node.isActive ? node.unit : undefined;
  }
  return undefined;
}

/** Lets the flow of `fn` carry the value along. By the one storage that there is, because Node.js hands each of them on to each promise. */
export function carrying<T>(value: object, fn: () => T): T {
  return within({ kind: 'carried', enclosing: ambientNode(), value }, fn);
}

/** The nearest value of the class that the flow carries, whatever it is inside of. */
export function carried<T extends object>(kind: abstract new (...args: never[]) => T): T | undefined {
  for (let node = storage.getStore(); node; node = node.enclosing) {
    if (node.kind === 'carried' && node.value instanceof kind) return node.value;
  }
  return undefined;
}

/** Runs `fn` outside of any unit of work: its queries use the pool, and it may outlive the unit. */
export function detach<T>(fn: () => T): T {
  const enclosing = storage.getStore();
  return enclosing ? storage.run({ kind: 'detached', enclosing }, fn) : fn();
}
