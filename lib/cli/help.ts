import type { Command, CommandOption } from './command.js';
import { COMMANDS } from './commands/index.js';
import { columns } from './output.js';

const COMMON: readonly (readonly [string, string])[] = [
  ['--json', 'one JSON object a line'],
  ['--help', 'this text'],
];

const MODULE: readonly (readonly [string, string])[] = [
  ['--module PATH', 'the file that exports the root module, such as dist/app.module.js'],
];

const EXIT_CODES = 'Exit codes: 0 nothing found, or done; 1 findings; 2 wrong use; 3 failed or interrupted.';

export function generalHelp(): string {
  const rows = COMMANDS.map(({ name, args, summary }) => [args ? `${name} ${args}` : name, summary]);
  return text([
    'Usage: nestjs-files [--module PATH] COMMAND [OPTIONS]',
    '',
    'Commands:',
    ...indented(rows),
    '',
    'Options of all commands:',
    ...indented([...MODULE, ...COMMON]),
    '',
    EXIT_CODES,
  ]);
}

export function commandHelp({ name, args, summary, example, options }: Command): string {
  const rows = Object.entries(options).map(([option, told]) => [flagOf(option, told), told.help]);
  return text([
    `Usage: nestjs-files ${name}${args ? ` ${args}` : ''} [OPTIONS]`,
    '',
    `${summary}.`,
    '',
    'Options:',
    ...indented([...rows, ...COMMON]),
    '',
    `Example: ${example}`,
    EXIT_CODES,
  ]);
}

function flagOf(name: string, { kind, value = kind === 'count' ? 'N' : 'TEXT' }: CommandOption): string {
  return kind === 'flag' ? `--${name}` : `--${name} ${value}`;
}

function indented(rows: readonly (readonly string[])[]): string[] {
  return columns(rows).map((line) => `  ${line}`);
}

function text(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
