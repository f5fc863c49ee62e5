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
    const mirror = app.get(FilesMirror, { strict: false });
    const counts = await runBetween(run, 'copied', {
      begin: (terms) => mirror.run({ ...terms, deep }),
      preview: (terms) => mirror.preview({ ...terms, deep }),
    });
    const [copied, present, failed] = ['copied', 'present', 'failed'].map((kind) => counts.get(kind) ?? 0);
    const isDry = options['dry-run'] === true;
    out.note(
      `${copied} ${isDry ? 'would be copied' : 'copied'}, ${present} were there already, ${failed} ${isDry ? 'would fail' : 'failed'}`,
    );
    return failed === 0 ? 0 : 1;
  },
};
