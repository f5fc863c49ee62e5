import type { Verdict } from './trial.js';

/** What became of each operation, at each point, with each fault. */
export class Matrix {
  readonly #parts = new Map<string, Map<string, string>>();

  add(part: string, operation: string, fault: string, { isDone, problems }: Verdict): void {
    const cell = problems.length > 0 ? '!' : isDone ? '+' : '-';
    const lines = this.#parts.get(part) ?? new Map<string, string>();
    const line = `${operation.padEnd(26)} ${fault.padEnd(12)}`;
    this.#parts.set(part, lines.set(line, (lines.get(line) ?? '') + cell));
  }

  /** One line for each operation with each fault, one character for each point: `-` undone, `+` done, `!` wrong. */
  toString(): string {
    const parts = [...this.#parts].map(([part, lines]) => {
      const told = [...lines].map(([line, cells]) => `  ${line} ${cells}`);
      return [part, ...told].join('\n');
    });
    const cells = [...this.#parts.values()].flatMap((lines) => [...lines.values()]).join('');
    const wrong = cells.split('!').length - 1;
    return [...parts, `${cells.length} cells (operation × point × fault), ${wrong} wrong`].join('\n\n');
  }
}
