// Is this build faster or slower than another commit? Both run side by side, in turn, each on a database of its own.

import { readFileSync } from 'node:fs';
import type { DataSource } from 'typeorm';
import { attachCalls, SIZES } from './attach.js';
import { handlerCalls } from './handler.js';
import { moduleOf, thisBuild } from './support/build.js';
import type { Build } from './support/build.js';
import { startChild } from './support/child.js';
import type { Child } from './support/child.js';
import { printStandings, speedsOf, standingsOf } from './support/contest.js';
import type { Contestant } from './support/contest.js';
import { BENCH_DATABASES } from './support/databases.js';
import type { BenchDatabase } from './support/databases.js';
import { load } from './support/load.js';
import type { Call } from './support/load.js';

type Tables = typeof import('./support/files-table.js');
type Databases = typeof import('./support/databases.js');

/** What is sent to the application of a question, and how many files there are to be. */
interface Work {
  readonly title: string;
  readonly serve: string;
  readonly calls: readonly Call[];
  readonly files: number;
}

const WORK: Record<string, readonly Work[]> = {
  attach: SIZES.map(([files, requests]) => ({
    title: `${files} file${files === 1 ? '' : 's'} in a request`,
    serve: './attach/serve.js',
    calls: attachCalls(files, requests),
    files: files * requests,
  })),
  handler: [{ title: 'A handler that queues nothing', serve: './handler/serve.js', calls: handlerCalls(), files: 1 }],
};

/** What can be asked of two builds. */
export const COMPARABLE = Object.keys(WORK);

export async function against(other: Build, questions: readonly string[], rounds: number, on?: string): Promise<void> {
  const builds = [other, thisBuild];
  const kinds = BENCH_DATABASES.filter((kind) => on === undefined || kind === on);
  if (kinds.length === 0) throw new Error(`There is no database "${on}". Databases: ${BENCH_DATABASES.join(', ')}`);
  for (const kind of kinds) await onDatabases(kind, builds, questions, rounds);
}

/** Opens a database for each build: their tables can differ. */
async function onDatabases(
  kind: BenchDatabase,
  builds: readonly Build[],
  questions: readonly string[],
  rounds: number,
  open: readonly Side[] = [],
): Promise<void> {
  const [build, ...rest] = builds;
  if (build) {
    const { withFilesDatabase } = await moduleOf<Databases>(build, './support/databases.js');
    const { fillTables } = await moduleOf<Tables>(build, './support/files-table.js');
    return withFilesDatabase(kind, (database, source) =>
      onDatabases(kind, rest, questions, rounds, [...open, { build, database, source, fillTables }]),
    );
  }
  for (const question of questions) for (const work of WORK[question]!) await measure(kind, open, work, rounds);
}

interface Side {
  readonly build: Build;
  readonly database: object;
  readonly source: DataSource;
  readonly fillTables: Tables['fillTables'];
}

/** Rounds with one pair of processes: two of one build differ by a few per cent for as long as they run. */
const ROUNDS_OF_A_PAIR = 3;

async function measure(kind: BenchDatabase, sides: readonly Side[], work: Work, rounds: number): Promise<void> {
  const speeds = sides.map((): number[] => []);
  const spent = sides.map((): number[] => []);
  for (let done = 0; done < rounds; done += ROUNDS_OF_A_PAIR) {
    const pair = await runPair(sides, work, Math.min(ROUNDS_OF_A_PAIR, rounds - done));
    for (const [index] of sides.entries()) {
      speeds[index]!.push(...pair.speeds[index]!);
      spent[index]!.push(...pair.spent[index]!);
    }
  }
  const names = sides.map(({ build }) => build.name);
  printStandings(`${work.title}, ${kind}`, 'requests/s', standingsOf(names, speeds));
  if (process.platform === 'linux')
    printStandings(`${work.title}, ${kind}: processor time of a round`, 'ticks', standingsOf(names, spent));
}

async function runPair(
  sides: readonly Side[],
  work: Work,
  rounds: number,
): Promise<{ speeds: number[][]; spent: number[][] }> {
  const running: Child[] = [];
  const contestants: Contestant[] = [];
  const spent = sides.map((): number[] => []);
  try {
    for (const [index, { build, database, source, fillTables }] of sides.entries()) {
      const child = await startChild(new URL(work.serve, build.root).href, 'nestjs-files', JSON.stringify(database));
      running.push(child);
      const round = async (): Promise<number> => {
        await fillTables(source, work.files);
        const before = processorTime(child.pid);
        const speed = await load(child.port, work.calls);
        spent[index]!.push(processorTime(child.pid) - before);
        return speed;
      };
      // What the first requests compile is not what a request costs.
      await round();
      contestants.push({ name: build.name, round });
    }
    for (const one of spent) one.length = 0;
    return { speeds: await speedsOf(contestants, rounds), spent };
  } finally {
    await Promise.all(running.map((child) => child.stop()));
  }
}

/**
 * What a process has used of the processors, in clock ticks:
 * https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html.
 */
function processorTime(pid: number): number {
  if (process.platform !== 'linux') return 0;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
