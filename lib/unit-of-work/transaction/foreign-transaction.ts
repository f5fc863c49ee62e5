import type { DataSource, QueryRunner } from 'typeorm';
import type { BegunWith } from '../dialects/dialect.js';
import type { AmbientNode } from '../scopes/ambient.js';
import type { Line } from '../mutex.js';

/** The callback of a transaction that the application opened. */
export interface ForeignTransaction extends AmbientNode {
  readonly kind: 'foreign';
  readonly dataSource: DataSource;
  readonly runner: QueryRunner;
  /** The isolation it was begun with. */
  readonly isolation: BegunWith;
  /** Units that join here wait for each other. */
  readonly line: Line;
}
