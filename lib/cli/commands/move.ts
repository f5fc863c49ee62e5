import { FilesMover } from '../../files/files-mover.js';
import { runBetween } from '../between-storages.js';
import type { Command } from '../command.js';
import { BETWEEN_STORAGES, WHICH_FILES } from '../values.js';

const { storage: _, ...which } = WHICH_FILES;

export const move: Command = {
  name: 'move',
  summary: 'Moves files to another storage, verified by their hash, while the application runs',
  example: 'nestjs-files move --from disk --to bucket --concurrency 8 --rate 20MB',
  options: {
    from: { kind: 'text', value: 'NAME', help: 'the storage that the files are in' },
    to: { kind: 'text', value: 'NAME', help: 'the storage that they are moved to' },
    ...which,
    ...BETWEEN_STORAGES,
    'dry-run': { kind: 'flag', help: 'change nothing' },
  },
  async run(run) {
    const { app, out } = run;
    const mover = app.get(FilesMover, { strict: false });
    const counts = await runBetween(run, 'moved', { begin: (terms) => mover.run(terms) });
    const failed = counts.get('failed') ?? 0;
    if (failed > 0) out.note(`${failed} could not be moved, and are where they were`);
    return failed === 0 ? 0 : 1;
  },
};
