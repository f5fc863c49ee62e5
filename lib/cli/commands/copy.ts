import { FilesMirror } from '../../files/files-mirror.js';
import { runBetween } from '../between-storages.js';
import type { Command } from '../command.js';
import { BETWEEN_STORAGES, WHICH_FILES } from '../values.js';

const { storage: _, ...which } = WHICH_FILES;

export const copy: Command = {
  name: 'copy',
  summary: 'Copies the bytes of files to the same locations of another storage, verified by their hash, as a backup',
  example: 'nestjs-files copy --from disk --to backup --rate 20MB',
  options: {
    from: { kind: 'text', value: 'NAME', help: 'the storage that the files are in' },
    to: { kind: 'text', value: 'NAME', help: 'the storage that gets the copies' },
    ...which,
    deep: { kind: 'flag', help: 'also read the copies that are there already, and compare their hashes' },
    ...BETWEEN_STORAGES,
    'dry-run': { kind: 'flag', help: 'change nothing' },
  },
  async run(run) {
    const { app, options, out } = run;
    const deep = options['deep'] === true;
    const counts = await runBetween(run, 'copied', (terms) => {
      return app.get(FilesMirror, { strict: false }).run({ ...terms, deep });
    });
    if (!counts) return 0;
    const [copied, present, failed] = ['copied', 'present', 'failed'].map((kind) => counts.get(kind) ?? 0);
    out.note(`${copied} copied, ${present} were there already, ${failed} failed`);
    return failed === 0 ? 0 : 1;
  },
};
