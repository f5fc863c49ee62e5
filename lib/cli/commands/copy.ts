import { FilesMirror } from '../../files/files-mirror.js';
import { FileSearch } from '../../files/search/file-search.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { type Command, InterruptedError } from '../command.js';
import { BETWEEN_STORAGES, betweenStorages, filterOf, WHICH_FILES } from '../values.js';

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
  async run({ app, options, out, signal }) {
    const { from, to, ...limits } = betweenStorages(options);
    const filters = filterOf(options);
    const { dataSource } = app.get(Transactor, { strict: false });
    const registry = app.get(StorageRegistry, { strict: false });
    for (const name of [from, to]) registry.get(name);
    const total = await new FileSearch(dataSource, { filters }, { storage: from }).count();
    if (options['dry-run']) {
      await out.result({ from, to, files: total }, `${total} files would be copied from ${from} to ${to}`);
      return 0;
    }
    const deep = options['deep'] === true;
    const copies = app.get(FilesMirror, { strict: false }).run({ from, to, filters, deep, signal, ...limits });
    const progress = out.progress('copied', total);
    const counts = { copied: 0, present: 0, failed: 0 };
    try {
      for await (const outcome of copies) {
        const { id, name } = outcome.file;
        counts[outcome.kind]++;
        if (outcome.kind !== 'failed') {
          progress.tick();
          continue;
        }
        const problem = String(outcome.error);
        progress.clear();
        await out.result({ kind: outcome.kind, id, name, problem }, `failed: ${id} ${name}: ${problem}`);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    progress.end();
    if (signal.aborted) throw new InterruptedError('Interrupted. Run the same command again to go on.');
    out.note(`${counts.copied} copied, ${counts.present} were there already, ${counts.failed} failed`);
    return counts.failed === 0 ? 0 : 1;
  },
};
