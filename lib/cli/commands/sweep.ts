import { FilesSweeper } from '../../files/intents/files-sweeper.js';
import type { SweepReport } from '../../files/intents/sweep-report.js';
import type { Command } from '../command.js';
import { sizeText } from '../output.js';
import type { Output } from '../output.js';
import { countIn } from '../values.js';

export const sweep: Command = {
  name: 'sweep',
  summary:
    'Runs the sweeper now, without waiting for its next interval: finishes what a crash or a failed storage has left',
  example: 'nestjs-files sweep --dry-run',
  options: {
    'dry-run': { kind: 'flag', help: 'tell what would be done, and change nothing' },
    limit: { kind: 'count', help: 'with --dry-run: how many steps to tell of (1000)' },
  },
  async run({ app, options, out, signal }) {
    const sweeper = app.get(FilesSweeper, { strict: false });
    if (options['dry-run']) {
      const limit = countIn(options, 'limit') ?? 1_000;
      const steps = await sweeper.preview({ limit: limit + 1 });
      for (const step of steps.slice(0, limit)) {
        const { storage, location, kind, outcome, since } = step;
        await out.result(step, `${outcome}  ${kind}  ${storage}  ${location}  since ${since.toISOString()}`);
      }
      if (steps.length > limit) out.note(`There are more than ${limit}. --limit lists more.`);
      return 0;
    }
    const report = await sweepUntil(signal, sweeper, out);
    const { finished, kept, failed, leftovers, bytesRemoved } = report;
    const text = `${finished} removed, ${kept} kept, ${failed} failed, ${leftovers} leftovers, ${sizeText(bytesRemoved)} freed`;
    await out.result(report, text);
    return failed === 0 ? 0 : 1;
  },
};

/** Sweeps, or ends after the present intent. */
export async function sweepUntil(signal: AbortSignal, sweeper: FilesSweeper, out: Output): Promise<SweepReport> {
  signal.throwIfAborted();
  signal.addEventListener('abort', () => void sweeper.beforeApplicationShutdown(), { once: true });
  const progress = out.progress('swept');
  const report = await sweeper.sweep({
    onProgress: ({ examined, leftovers, expired }) => progress.reach(examined + leftovers + expired),
  });
  progress.end();
  return report;
}
