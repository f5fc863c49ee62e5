import { FilesScans } from '../../scan/files-scans.js';
import type { RescanOptions } from '../../scan/files-scans.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { type Command, InterruptedError, UsageError } from '../command.js';
import { filterOf, textIn, WHICH_FILES } from '../values.js';

const { scan: _, ...whichFiles } = WHICH_FILES;

const STATES = ['pending', 'clean', 'infected', 'failed', 'unscanned'] as const;

export const rescan: Command = {
  name: 'rescan',
  summary: 'Queues scans of files, such as those whose scan has failed; the application runs them',
  example: 'nestjs-files rescan --state failed,pending',
  options: {
    state: { kind: 'text', value: 'STATES', help: `some of ${STATES.join(', ')} (pending,failed)` },
    ...whichFiles,
    'dry-run': { kind: 'flag', help: 'only count them' },
  },
  async run({ app, options, out, signal }) {
    const scans = app.get(FilesScans, { strict: false });
    const storage = textIn(options, 'storage');
    const which: RescanOptions = {
      states: statesIn(textIn(options, 'state')),
      filters: filterOf(options),
      ...(storage !== undefined && { storage }),
      signal,
    };
    const storages = app.get(StorageRegistry, { strict: false });
    if (storage !== undefined && !storages.get(storage).scanner)
      throw new UsageError(`--storage is "${storage}", which has no scanner.`);
    const isDry = options['dry-run'] === true;
    let files = await scans.count(which);
    if (!isDry) {
      const progress = out.progress('queued', files);
      files = await scans.rescan({ ...which, onProgress: (queued) => progress.reach(queued) });
      progress.end();
    }
    await out.result({ files, queued: !isDry }, `${files} files ${isDry ? 'would be' : 'are'} scanned again`);
    if (signal.aborted) throw new InterruptedError('Interrupted. Run the same command again to go on.');
    return 0;
  },
};

function statesIn(text = 'pending,failed'): NonNullable<RescanOptions['states']> {
  return text.split(',').map((name) => {
    const state = STATES.find((one) => one === name.trim());
    if (state === undefined) throw new UsageError(`--state is "${text}", and must be some of ${STATES.join(', ')}.`);
    return state;
  });
}
