import type { DataSource, QueryRunner } from 'typeorm';
import type { ForeignTransaction } from '../transaction/foreign-transaction.js';
import { ambientNode, type AmbientNode } from './ambient.js';
import type { Scope } from './scope.js';

/** The innermost scope or foreign transaction of the data source in this flow, ended ones included. */
export function ambientOf(dataSource: DataSource): Scope | ForeignTransaction | undefined {
  for (let node = ambientNode(); node && node.kind !== 'detached'; node = node.enclosing) {
    if (isPlace(node) && node.dataSource === dataSource) return node;
  }
  return undefined;
}

/** Whether the caller is in a transaction, of a unit of work or of the application. */
export function isInTransaction(dataSource: DataSource): boolean {
  const here = ambientOf(dataSource);
  return here?.kind === 'foreign' ? here.runner.isTransactionActive : here !== undefined;
}

/** The innermost place of the nesting that this flow is in, also where that has ended. */
export function scopeHere(): Scope | undefined {
  for (let node = ambientNode(); node && node.kind !== 'detached'; node = node.enclosing) {
    if (isPlace(node) && node.kind === 'scope') return node;
  }
  return undefined;
}

/** Whether the flow began in a unit of the data source, as an effect of it or detached from it. */
export function hasUnitAround(dataSource: DataSource): boolean {
  for (let node = ambientNode(); node; node = node.enclosing) {
    if (isPlace(node) && node.kind === 'scope' && node.dataSource === dataSource) return true;
  }
  return false;
}

/**
 * The innermost open transaction of another query runner of these data sources around this flow, also where the flow
 * was detached from it.
 */
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
