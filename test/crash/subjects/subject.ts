import type { SweepReport } from 'nestjs-files/maintenance';
import type { Answer } from '../../e2e/portal/portal-client.js';

/** A running portal, and one way to disturb it. */
export interface Subject {
  /** What may happen at a point. */
  readonly faults: readonly string[];
  readonly url: string;
  /** Counts points from here, and disturbs nothing. */
  count(): Promise<void> | void;
  /** The points that were passed since `count`. */
  points(): Promise<readonly string[]> | readonly string[];
  /** Lets the fault come at the n-th point from here; the first is 1. */
  arm(point: number, fault: string): Promise<void> | void;
  /**
   * Makes the portal work again, by a new process if need be; tells whether the fault came. `answer` is what the
   * request got.
   */
  recover(answer: Answer<unknown> | undefined): Promise<boolean> | boolean;
  sweep(): Promise<SweepReport>;
}
