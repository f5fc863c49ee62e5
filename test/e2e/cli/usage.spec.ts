import { Writable } from 'node:stream';
import { Module } from '@nestjs/common';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { COMMANDS } from '../../../lib/cli/commands/index.js';
import { runFilesCli } from '../../../lib/entry/cli.js';
import { Output } from '../../../lib/cli/output.js';
import { Progress } from '../../../lib/cli/progress.js';
import { ageIn, filterOf, momentIn, ownerIn } from '../../../lib/cli/values.js';

/** Says whether it was made: nothing is started for a command that makes no sense. */
let isStarted = false;
@Module({})
class StartedModule {
  constructor() {
    isStarted = true;
  }
}

function sink(isTTY = false): Writable & { text: () => string; isTTY: boolean } {
  let text = '';
  const write = (chunk: Buffer, _encoding: string, done: () => void): void => {
    text += chunk.toString();
    done();
  };
  return Object.assign(new Writable({ write }), { text: () => text, isTTY });
}

async function run(...argv: string[]) {
  const [stdout, stderr] = [sink(), sink()];
  isStarted = false;
  const code = await runFilesCli(StartedModule, { argv, stdout, stderr });
  return { code, out: stdout.text(), notes: stderr.text(), isStarted };
}

describe('the command line', () => {
  it('names all commands with --help, and starts nothing', async () => {
    const { code, out, isStarted: started } = await run('--help');
    expect({ code, started }).toEqual({ code: 0, started: false });
    const lines = out.split('\n');
    for (const { name, summary } of COMMANDS) {
      expect(lines.some((line) => line.startsWith(`  ${name} `) && line.endsWith(summary))).toBe(true);
    }
  });

  it.each(COMMANDS.map((command) => [command.name, command] as const))(
    'explains %s and gives an example of it that it accepts',
    async (name, { options, example, takes = 0 }) => {
      const { code, out } = await run(name, '--help');
      expect(code).toBe(0);
      for (const option of Object.keys(options)) expect(out).toContain(`--${option}`);
      expect(out).toContain(example);
      const words = example.replace(/ >.*/, '').split(' ').slice(1);
      expect(words[0]).toBe(name);
      const used = words.filter((word) => word.startsWith('--')).map((word) => word.slice(2));
      for (const option of used) expect(['json', ...Object.keys(options)]).toContain(option);
      expect(words.slice(1, 1 + takes).every((word) => !word.startsWith('--'))).toBe(true);
    },
  );

  it.each([
    [[], 'Usage: nestjs-files'],
    [['frobnicate'], 'There is no command "frobnicate".'],
    [['ls', '--frobnicate'], '--frobnicate'],
    [['ls', 'word'], 'ls takes no argument, and got "word".'],
    [['cat'], 'cat takes ID.'],
    [['cat', 'one', 'two'], 'cat takes ID.'],
    [['ls', '--limit', '0'], '--limit is "0", and must be a whole number above zero.'],
    [['ls', '--limit', 'many'], '--limit is "many"'],
    [['ls', '--owner', 'user:1', '--json', '--owner', 'user:2'], '--owner is given twice.'],
  ])('refuses %j with exit code 2, and starts nothing', async (argv, problem) => {
    const { code, out, notes, isStarted: started } = await run(...argv);
    expect({ code, out, started }).toEqual({ code: 2, out: '', started: false });
    expect(notes).toContain(problem);
  });

  it('refuses a module without FilesModule', async () => {
    const { code, notes } = await run('ls');
    expect(code).toBe(2);
    expect(notes).toContain('StartedModule does not import FilesModule.');
  });
});

describe('what options say', () => {
  it.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['12h', 43_200_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
  ])('reads the age %s', (text, age) => {
    expect(ageIn({ age: text }, 'age')).toBe(age);
  });

  it('reads a date, and an age as a moment', () => {
    expect(momentIn({ since: '2026-01-31' }, 'since')).toEqual(new Date('2026-01-31'));
    const hourAgo = momentIn({ since: '1h' }, 'since')?.getTime() ?? 0;
    expect(Math.abs(Date.now() - 3_600_000 - hourAgo)).toBeLessThan(60_000);
  });

  it.each(['7', 'd', '-1d', '1y', '', '2026-13-45', '999999999w'])('refuses "%s" as an age and as a date', (text) => {
    expect(() => ageIn({ since: text }, 'since')).toThrow(`--since is "${text}"`);
    expect(() => momentIn({ since: text }, 'since')).toThrow(`--since is "${text}"`);
  });

  it('reads an owner whose id has colons', () => {
    expect(ownerIn({ owner: 'user:a:b' }, 'owner')).toEqual({ type: 'user', id: 'a:b' });
    for (const owner of ['user', ':1', 'user:']) expect(() => ownerIn({ owner }, 'owner')).toThrow('such as user:42');
  });

  it('takes wildcards in names and types as what they are', () => {
    expect(filterOf({ name: '50%', type: 'x_y' })).toEqual({
      $and: [{ contentType: { $like: String.raw`x\_y/%` } }, { name: { $ilike: String.raw`%50\%%` } }],
    });
  });

  it('refuses an owner together with no owner, and a size that is none', () => {
    expect(() => filterOf({ owner: 'user:1', unowned: true })).toThrow('cannot be combined');
    expect(() => filterOf({ 'larger-than': 'big' })).toThrow('--larger-than');
  });
});

describe('progress', () => {
  function shown(isTTY: boolean, total?: number) {
    const out = sink(isTTY);
    let now = 0;
    const progress = new Progress(out, 'moved', total, () => now);
    const step = (milliseconds: number): void => {
      now += milliseconds;
      progress.tick();
    };
    return { out, progress, step };
  }

  it('draws a bar with rate and time left on a terminal, and ends with a line', () => {
    const { out, progress, step } = shown(true, 4);
    step(500);
    step(50);
    step(450);
    progress.end();
    expect(out.text()).toBe(
      '\r\u001B[K[######..................] moved 1 of 4 (25 %)  2.0/s  2 s left' +
        '\r\u001B[K[##################......] moved 3 of 4 (75 %)  3.0/s  1 s left' +
        '\r\u001B[Kmoved 3 in 1.0 s\n',
    );
  });

  it('takes the bar away before a result and after an interruption, and only where there is one', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const [results, notes] = [sink(), sink(true)];
    const out = new Output(results, notes, false);
    const progress = out.progress('checked', 4);
    await out.result({}, 'one');
    expect(notes.text()).toBe('');
    vi.advanceTimersByTime(1_000);
    progress.reach(2);
    const bar = '\r\u001B[K[############............] checked 2 of 4 (50 %)  2.0/s  1 s left';
    expect(notes.text()).toBe(bar);
    await out.result({}, 'two');
    expect(notes.text()).toBe(`${bar}\r\u001B[K`);
    out.endProgress();
    out.endProgress();
    expect(notes.text()).toBe(`${bar}\r\u001B[Kchecked 2 in 1.0 s\n`);
    expect(results.text()).toBe('one\ntwo\n');
  });

  it('writes a line every ten seconds elsewhere', () => {
    const { out, progress, step } = shown(false);
    for (let n = 0; n < 25; n++) step(1_000);
    progress.end();
    expect(out.text()).toBe('moved 10  1.0/s\nmoved 20  1.0/s\nmoved 25 in 25.0 s\n');
  });
});
