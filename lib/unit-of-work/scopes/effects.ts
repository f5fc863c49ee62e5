import { Logger } from '@nestjs/common';
import { stackOf } from '../../errors/stack-of.js';
import { type AmbientNode, detach } from './ambient.js';

/** Work outside of the database that waits for the end of a root unit; 'end' runs after both outcomes. */
export interface Effect {
  readonly when: 'commit' | 'rollback' | 'end';
  readonly run: () => unknown;
}

const logger = new Logger('UnitOfWork');

/**
 * Runs the effects that this outcome of the scope calls for, one after the other, outside of any unit. Never throws.
 */
export async function runEffects(
  effects: readonly Effect[],
  outcome: 'commit' | 'rollback',
  scope: AmbientNode,
): Promise<void> {
  for (const { when, run } of effects) {
    if (when !== outcome && when !== 'end') continue;
    try {
      await detach(run, scope);
    } catch (error) {
      logger.error(`An effect after the ${outcome} failed; the ${outcome} itself stands`, stackOf(error));
    }
  }
}
