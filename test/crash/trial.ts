import { isDeepStrictEqual } from 'node:util';
import type { Answer } from '../e2e/portal/portal-client.js';
import type { Operation } from './operations.js';
import type { Stage } from './stage.js';
import type { Subject } from './subjects/subject.js';

/** What an operation does when nothing disturbs it. */
export interface Rehearsal {
  readonly points: readonly string[];
  /** What is told before it, and after it. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

export interface Verdict {
  readonly isDone: boolean;
  /** Why the cell fails. */
  readonly problems: readonly string[];
}

export async function rehearse(stage: Stage, subject: Subject, operation: Operation): Promise<Rehearsal> {
  await stage.clear();
  const send = await operation(stage.alice.at(subject.url));
  const { told: before } = await stage.state();
  await subject.count();
  const { status, body } = await send();
  const points = await subject.points();
  const { told: after, wrong } = await stage.state();
  if (status >= 300 || wrong.length > 0 || isDeepStrictEqual(before, after)) {
    throw new Error(`it does not work: ${status} ${JSON.stringify(body)} ${wrong.join('; ')}`);
  }
  return { points: [...points], before, after };
}

export interface Disturbance {
  /** Which of the points, of which the first is 1. */
  readonly at: number;
  readonly fault: string;
  readonly rehearsal: Rehearsal;
}

/** Disturbs the operation at one point, lets the portal recover, sweeps, and looks at what is there. */
export async function disturb(
  stage: Stage,
  subject: Subject,
  operation: Operation,
  { at, fault, rehearsal }: Disturbance,
): Promise<Verdict> {
  await stage.clear();
  const send = await operation(stage.alice.at(subject.url));
  await subject.arm(at, fault);
  const answer = await send().catch(() => undefined);
  const hasCome = await subject.recover(answer);
  const problems = hasCome ? [] : ['the fault did not come'];
  // At once, when a dead connection's transaction may still be open, and when there is none.
  for (const wait of [undefined, () => stage.quiet()]) {
    await wait?.();
    const { failed } = await subject.sweep();
    if (failed > 0) problems.push(`${failed} could not be swept`);
  }
  const { told, wrong } = await stage.state();
  const isDone = isDeepStrictEqual(told, rehearsal.after);
  const isUndone = isDeepStrictEqual(told, rehearsal.before);
  problems.push(...wrong);
  if (!isDone && !isUndone) problems.push(`neither done nor undone: ${told.join(' | ')}`);
  if (isDone && isRefusal(answer)) problems.push(`was answered ${tell(answer)}, and is done`);
  if (isUndone && isSuccess(answer)) problems.push(`was answered ${tell(answer)}, and is not there`);
  return { isDone, problems };
}

function isSuccess(answer: Answer<unknown> | undefined): boolean {
  return answer !== undefined && answer.status < 300;
}

/** Whether the answer says that nothing was done: one of which the outcome is unknown says neither. */
function isRefusal(answer: Answer<unknown> | undefined): boolean {
  if (answer === undefined || answer.status < 300) return false;
  return (answer.body as { code?: string } | null)?.code !== 'FILES_COMMIT_OUTCOME_UNKNOWN';
}

function tell(answer: Answer<unknown> | undefined): string {
  return `${answer?.status} ${JSON.stringify(answer?.body)}`;
}
