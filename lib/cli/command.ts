import type { INestApplicationContext } from '@nestjs/common';
import type { Output } from './output.js';

/** What an option takes: nothing, a text, or a whole number above zero. */
type OptionKind = 'flag' | 'text' | 'count';

/** An option of a command, as `--help` tells of it. */
export interface CommandOption {
  readonly kind: OptionKind;
  /** What stands for its value in the help, such as `USER:ID`. */
  readonly value?: string;
  readonly help: string;
}

/** What was given: flags are true or undefined, counts are numbers. */
export type OptionValues = Readonly<Record<string, string | number | boolean | undefined>>;

/** What a command works with. */
export interface CommandRun {
  readonly app: INestApplicationContext;
  readonly options: OptionValues;
  /** The arguments that are no options. */
  readonly args: readonly string[];
  readonly out: Output;
  /** Aborted by Ctrl-C: the command finishes what it is at, and ends. */
  readonly signal: AbortSignal;
}

/** 0: nothing found, or all done. 1: findings, or something that could not be done. */
export type Answer = 0 | 1;

/** One command of the command line. */
export interface Command {
  readonly name: string;
  /** The arguments in the help, such as `ID`. */
  readonly args?: string;
  /** How many arguments it takes. @default 0 */
  readonly takes?: number;
  /** @default as many as it takes */
  readonly takesAtLeast?: number;
  readonly summary: string;
  readonly example: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  /** Whether it also runs before the library's tables were made. It must not use storages. @default false */
  readonly worksWithoutTables?: boolean;
  run(run: CommandRun): Promise<Answer>;
}

/** The command line was used in a way that makes no sense; nothing was done. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Ctrl-C came, and the command ended before all was done. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}
