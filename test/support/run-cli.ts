import { Writable } from 'node:stream';
import type { Type } from '@nestjs/common';
import { runFilesCli } from '../../lib/entry/cli.js';

/** What a command said, and its exit code. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly notes: string;
  /** The results, with `--json`. */
  readonly results: Record<string, unknown>[];
}

function sink(): Writable & { text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return Object.assign(stream, { text: () => Buffer.concat(chunks).toString() });
}

/** Runs a command of the command line on the application of the module. */
export async function runCli(module: Type, argv: string[], signal?: AbortSignal): Promise<Ran> {
  const [stdout, stderr] = [sink(), sink()];
  const code = await runFilesCli(module, { argv, stdout, stderr, ...(signal && { signal }) });
  const out = stdout.text();
  const lines = argv.includes('--json') ? out.split('\n').filter(Boolean) : [];
  const results = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { code, out, notes: stderr.text(), results };
}
