import { FilesSweeper } from '../../files/intents/files-sweeper.js';
import type { Command } from '../command.js';
import { sizeText } from '../output.js';
import { countIn } from '../values.js';

export const sweep: Command = {
  name: 'sweep',
  summary: 'Does at once what the sweeper does in its time: finishes what a crash or a failed storage has left',
  example: 'nestjs-files sweep --dry-run',
  options: {
    'dry-run': { kind: 'flag', help: 'tell what would be done, and change nothing' },
    limit: { kind: 'count', help: 'with --dry-run: how many steps to tell of (1000)' },
  },
  async run({ app, options, out }) {
    const sweeper = app.get(FilesSweeper, { strict: false });
    if (options['dry-run']) {
      for (const step of await sweeper.preview({ limit: countIn(options, 'limit') ?? 1_000 })) {
        const { storage, location, kind, outcome, since } = step;
        await out.result(step, `${outcome}  ${kind}  ${storage}  ${location}  since ${since.toISOString()}`);
      }
      return 0;
    }
    const report = await sweeper.sweep();
    const { finished, kept, failed, leftovers, bytesRemoved } = report;
    const text = `${finished} removed, ${kept} kept, ${failed} failed, ${leftovers} leftovers, ${sizeText(bytesRemoved)} freed`;
    await out.result(report, text);
    return failed === 0 ? 0 : 1;
  },
};
