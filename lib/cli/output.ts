import { Progress, type Sink } from './progress.js';

/** JSON has no bigint, and keys of records may be such. */
export function jsonOf(value: object): string {
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? String(one) : one));
}

/** What a command says: results on one stream, everything else on the other. */
export class Output {
  #progress: Progress | undefined;

  constructor(
    private readonly results: Sink,
    private readonly notes: Sink,
    private readonly isJson: boolean,
  ) {}

  /** One result: an object a line with `--json`, the text otherwise. Resolves once the reader has taken it. */
  result(value: object, text: string): Promise<void> {
    this.#progress?.clear();
    return this.#write(this.results, `${this.isJson ? jsonOf(value) : text}\n`);
  }

  /** Bytes, as they are. */
  get bytes(): Sink {
    return this.results;
  }

  /** A line beside the results. */
  note(text: string): void {
    this.#progress?.clear();
    this.notes.write(`${text}\n`);
  }

  /** Shows how far the work is: `verb` is what is done to each item, such as "moved". */
  progress(verb: string, total?: number): Progress {
    return (this.#progress = new Progress(this.notes, verb, total));
  }

  /** Takes the bar of a command away that was interrupted, or failed. */
  endProgress(): void {
    this.#progress?.end();
    this.#progress = undefined;
  }

  // A pipe whose reader is slow must not fill the memory.
  #write(to: Sink, text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      to.write(text, (error) => (error ? reject(error) : resolve()));
    });
  }
}

/** Bytes for people: `1.5 MiB`. */
export function sizeText(bytes: number): string {
  let size = bytes;
  let at = 0;
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  while (size >= 1024 && at < units.length - 1) {
    size /= 1024;
    at++;
  }
  return `${at === 0 ? size : size.toFixed(1)} ${units[at]}`;
}

/** Rows under each other. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
