import { codeOf } from './wire.js';
import type { Answer, GoneAway } from './wire.js';

/** Counts requests by their kind and what was answered. */
export class Tally {
  readonly #counts = new Map<string, Map<string, number>>();
  readonly #codes = new Map<string, number>();
  total = 0;

  add(kind: string, answer: Answer | undefined, goneAway: GoneAway | undefined): void {
    this.total++;
    const told = answer ? `${answer.status}` : goneAway === undefined ? 'no answer' : 'gone away';
    const counts = this.#counts.get(kind) ?? new Map<string, number>();
    this.#counts.set(kind, counts.set(told, (counts.get(told) ?? 0) + 1));
    if (!answer || answer.status < 400) return;
    const code = `${answer.status} ${codeOf(answer) ?? 'without a code'}`;
    this.#codes.set(code, (this.#codes.get(code) ?? 0) + 1);
  }

  /** How many were answered so. */
  count(told: (status: string) => boolean): number {
    const all = [...this.#counts.values()].flatMap((counts) => [...counts]);
    return all.reduce((sum, [status, count]) => sum + (told(status) ? count : 0), 0);
  }

  toString(): string {
    const lines = sorted(this.#counts).map(([kind, counts]) => `  ${kind.padEnd(18)}${listed(counts)}`);
    return [...lines, '  refusals', ...sorted(this.#codes).map(([code, count]) => `    ${count} × ${code}`)].join('\n');
  }
}

function listed(counts: ReadonlyMap<string, number>): string {
  return sorted(counts)
    .map(([told, count]) => `${told}: ${count}`)
    .join(', ');
}

function sorted<T>(counts: ReadonlyMap<string, T>): [string, T][] {
  return [...counts].toSorted(([one], [other]) => one.localeCompare(other));
}
