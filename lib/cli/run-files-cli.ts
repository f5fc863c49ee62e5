import { Console } from 'node:console';
import { parseArgs } from 'node:util';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { FilesError } from '../errors/files-error.js';
import { SearchQueryInvalidError } from '../errors/requests.errors.js';
import { AuditOptionInvalidError, MoveOptionInvalidError } from '../errors/setup.errors.js';
import { CapabilityMissingError, StorageUnknownError } from '../errors/storage.errors.js';
import { bootWithoutWork } from '../files/boot-without-work.js';
import { bootUnmarked } from '../files/marks/storage-marks.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { bootContext } from './boot.js';
import { type Answer, type Command, InterruptedError, type OptionValues, UsageError } from './command.js';
import { COMMANDS } from './commands/index.js';
import { commandHelp, generalHelp } from './help.js';
import { Output } from './output.js';
import type { Sink } from './progress.js';
import { StderrLogger } from './stderr-logger.js';

/** Where the command line reads and writes. */
export interface FilesCliOptions {
  /** The command and its options. @default the arguments of the process */
  argv?: readonly string[];
  /** Where results go. @default the standard output */
  stdout?: Sink;
  /** Where progress, notes and errors go. @default the standard error */
  stderr?: Sink;
  /** Ends the command after the item that it is at. @default on Ctrl-C */
  signal?: AbortSignal;
}

/** 0: nothing found, or all done. 1: findings. 2: wrong use, and nothing was done. 3: failed, or interrupted. */
export type FilesCliExitCode = 0 | 1 | 2 | 3;

/** What the services throw before they do anything. */
const WRONG_USE = [
  AuditOptionInvalidError,
  CapabilityMissingError,
  MoveOptionInvalidError,
  SearchQueryInvalidError,
  StorageUnknownError,
];

const HELP = new Set(['help', '--help', '-h']);

const COMMON = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;

/**
 * Runs one command in the context of the application, and resolves with the exit code. It never rejects.
 * @example process.exitCode = await runFilesCli(AppModule);
 */
export function runFilesCli(module: Type, options: FilesCliOptions = {}): Promise<FilesCliExitCode> {
  return runCommandLine(() => Promise.resolve(module), options);
}

/** As `runFilesCli`; the module is loaded once the command is known to make sense. */
export async function runCommandLine(
  load: () => Promise<Type>,
  options: FilesCliOptions = {},
): Promise<FilesCliExitCode> {
  const { argv = process.argv.slice(2), stdout = process.stdout, stderr = process.stderr } = options;
  const say = (text: string): void => void stderr.write(`${text}\n`);
  hear(stdout);
  hear(stderr);
  const [name = '', ...rest] = argv;
  if (HELP.has(name)) {
    stdout.write(generalHelp());
    return 0;
  }
  const command = COMMANDS.find((one) => one.name === name);
  if (!command) {
    say(helpFor(name));
    return 2;
  }
  const { console } = globalThis;
  // The standard output is for results, so the application's console goes to the standard error.
  if (!options.stdout) globalThis.console = new Console(process.stderr);
  try {
    return await runCommand(command, rest, load, { stdout, stderr, signal: options.signal });
  } catch (error) {
    // With EPIPE the reader, such as `head`, has closed the pipe: it has seen enough.
    if (codeOf(faults.get(stdout)) !== 'EPIPE') say(problemOf(error, name));
    return isWrongUse(error) ? 2 : 3;
  } finally {
    globalThis.console = console;
  }
}

async function runCommand(
  command: Command,
  argv: readonly string[],
  load: () => Promise<Type>,
  { stdout, stderr, signal: given }: { stdout: Sink; stderr: Sink; signal: AbortSignal | undefined },
): Promise<Answer> {
  const { values, args } = read(command, argv);
  if (values['help']) {
    stdout.write(commandHelp(command));
    return 0;
  }
  const out = new Output(stdout, stderr, values['json'] === true);
  const module = await load();
  return inApplication(
    module,
    command,
    (text) => void stderr.write(`${text}\n`),
    given,
    (app, signal) =>
      untilInterrupted(
        signal,
        command.run({ app, options: values, args, out, signal }).finally(() => out.endProgress()),
      ),
  );
}

/** What is said where there is no such command. */
function helpFor(name: string): string {
  return name === '' ? generalHelp() : `There is no command "${name}".\n\n${generalHelp()}`;
}

function isWrongUse(error: unknown): boolean {
  return error instanceof UsageError || WRONG_USE.some((refusal) => error instanceof refusal);
}

/** The errors of streams. Node.js does not keep that of the standard output. */
const faults = new WeakMap<Sink, Error>();

function hear(sink: Sink): void {
  if (!sink.listeners('error').includes(heard)) sink.on('error', heard);
}

/** Hears the error event, which would otherwise end the process. The failed write itself rejects, too. */
function heard(this: Sink, error: Error): void {
  faults.set(this, error);
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code;
}

function problemOf(error: unknown, command: string): string {
  if (error instanceof UsageError) return `${error.message}\nnestjs-files ${command} --help tells more.`;
  if (error instanceof InterruptedError) return error.message;
  return error instanceof FilesError ? `${error.code}: ${error.message}` : String((error as Error)?.stack ?? error);
}

/** Throws `InterruptedError` after Ctrl-C, even if the command itself has ended normally. */
async function untilInterrupted(signal: AbortSignal, run: Promise<Answer>): Promise<Answer> {
  try {
    const answer = await run;
    if (!signal.aborted) return answer;
  } catch (error) {
    if (!signal.aborted || (error as Error).name !== 'AbortError') throw error;
  }
  throw new InterruptedError('Interrupted.');
}

function read(command: Command, argv: readonly string[]): { values: OptionValues; args: readonly string[] } {
  const known = Object.entries(command.options);
  const options = Object.fromEntries(
    known.map(([name, { kind }]) => [name, { type: kind === 'flag' ? ('boolean' as const) : ('string' as const) }]),
  );
  const parsed = parse({ args: [...argv], options: { ...COMMON, ...options }, allowPositionals: true, tokens: true });
  const given = parsed.tokens.flatMap((token) => (token.kind === 'option' ? token.name : []));
  const twice = given.find((name, at) => given.indexOf(name) < at);
  if (twice !== undefined) throw new UsageError(`--${twice} is given twice.`);
  const values: Record<string, string | number | boolean | undefined> = { ...parsed.values };
  for (const [name, { kind }] of known) if (kind === 'count') values[name] = count(name, values[name]);
  const { takes = 0, takesAtLeast = takes, args = '' } = command;
  const { positionals } = parsed;
  if ((positionals.length > takes || positionals.length < takesAtLeast) && !values['help'])
    throw new UsageError(
      takes === 0
        ? `${command.name} takes no argument, and got "${positionals[0]}".`
        : `${command.name} takes ${args}.`,
    );
  return { values, args: positionals };
}

interface Parsed {
  values: Record<string, string | boolean | undefined>;
  positionals: string[];
  tokens: readonly { kind: string; name: string }[];
}

function parse(config: Parameters<typeof parseArgs>[0] & object) {
  try {
    return parseArgs(config) as Parsed;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function count(name: string, value: OptionValues[string]): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new UsageError(`--${name} is "${String(value)}", and must be a whole number above zero.`);
  return number;
}

type Work<T> = (app: INestApplicationContext, signal: AbortSignal) => Promise<T>;

async function inApplication<T>(
  module: Type,
  { worksWithoutTables = false }: Command,
  say: (text: string) => void,
  given: AbortSignal | undefined,
  work: Work<T>,
): Promise<T> {
  const interrupted = new AbortController();
  const interrupt = (): void => {
    say('Ending after the current items. Press Ctrl-C again to end immediately.');
    interrupted.abort();
  };
  const boot = () => bootContext(module, new StderrLogger());
  // The application runs its jobs and sweeps: a command, and all the more a `--dry-run`, does no other work.
  const app = await bootWithoutWork(() => (worksWithoutTables ? bootUnmarked(boot) : boot()));
  if (!given) process.once('SIGINT', interrupt);
  try {
    assertHasFiles(app, module);
    return await work(app, given ?? interrupted.signal);
  } finally {
    process.off('SIGINT', interrupt);
    await app.close();
  }
}

function assertHasFiles(app: INestApplicationContext, { name }: Type): void {
  try {
    app.get(StorageRegistry, { strict: false });
  } catch (cause) {
    throw new UsageError(`${name} does not import FilesModule. Name the root module of the application.`, { cause });
  }
}
