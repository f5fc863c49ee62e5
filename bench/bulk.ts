// How fast is work with many files: to register them, to move them to another storage, to delete them with their owner?

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BulkReport, BulkWork } from './bulk/work.js';
import { thisBuild } from './support/build.js';
import type { Build } from './support/build.js';
import { median } from './support/contest.js';
import { withFilesDatabase } from './support/databases.js';

/** Numbers of files, and of files for the build to compare with, which may be much slower. */
const SIZES: Record<BulkWork, readonly [number, number]> = {
  register: [sizeOf(10_000), sizeOf(1_000)],
  move: [sizeOf(10_000), sizeOf(1_000)],
  'move by copies': [sizeOf(10_000), sizeOf(1_000)],
  delete: [sizeOf(6_000), sizeOf(6_000)],
};

function sizeOf(usual: number): number {
  return Math.ceil(usual * Number(process.env['FILES_BENCH_SHARE'] ?? 1));
}

export async function bulk(): Promise<void> {
  await bulkOf([thisBuild], 3);
}

/** In turn, round after round; the last build does all of the work, the others a share of it. */
export async function bulkOf(builds: readonly Build[], rounds: number): Promise<void> {
  for (const build of builds) if (build !== thisBuild) bring(build);
  console.log('\n### Many files, PostgreSQL and fsStorage, files of 20 KiB\n');
  console.log('| work | build | files | files/s | until the bytes are gone | growth of memory |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const work of Object.keys(SIZES) as BulkWork[]) {
    const reports = builds.map((): BulkReport[] => []);
    for (let round = 0; round < rounds; round++)
      for (const [at, build] of builds.entries()) reports[at]!.push(await measure(build, work, filesFor(build, work)));
    for (const [at, build] of builds.entries()) console.log(lineOf(build, work, reports[at]!));
  }
}

function filesFor(build: Build, work: BulkWork): number {
  return SIZES[work][build === thisBuild ? 0 : 1];
}

function lineOf(build: Build, work: BulkWork, reports: readonly BulkReport[]): string {
  const files = filesFor(build, work);
  const speed = files / median(reports.map(({ seconds }) => seconds));
  const end = median(reports.map(({ secondsToTheEnd }) => secondsToTheEnd)).toFixed(1);
  const growth = Math.round(median(reports.map((report) => report.growth)));
  return `| ${work} | ${build.name} | ${files} | ${Math.round(speed)} | ${end} s | +${growth} MiB |`;
}

async function measure(build: Build, work: BulkWork, files: number): Promise<BulkReport> {
  const root = await mkdtemp(join(tmpdir(), 'bench-bulk-'));
  let report: BulkReport | undefined;
  try {
    await withFilesDatabase('postgres', async (database) => {
      const script = fileURLToPath(new URL('bulk/work.js', build.root));
      const child = fork(script, [work, String(files), JSON.stringify(database), root]);
      child.on('message', (message) => (report = message as BulkReport));
      await once(child, 'exit');
    });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  if (!report) throw new Error(`${build.name} did not ${work} ${files} files.`);
  return report;
}

/** Gives the script to a build that is older. */
function bring(build: Build): void {
  cpSync(new URL('bulk', thisBuild.root), new URL('bulk', build.root), { recursive: true });
}
