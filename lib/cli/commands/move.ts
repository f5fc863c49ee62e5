import { FilesMover } from '../../files/files-mover.js';
import { FileSearch } from '../../files/search/file-search.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { type Command, InterruptedError } from '../command.js';
import { BETWEEN_STORAGES, betweenStorages, filterOf, WHICH_FILES } from '../values.js';

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
  async run({ app, options, out, signal }) {
    const { from, to, ...limits } = betweenStorages(options);
    const filters = filterOf(options);
    const { dataSource } = app.get(Transactor, { strict: false });
    const registry = app.get(StorageRegistry, { strict: false });
    for (const name of [from, to]) registry.get(name);
    const total = await new FileSearch(dataSource, { filters }, { storage: from }).count();
    if (options['dry-run']) {
      await out.result({ from, to, files: total }, `${total} files would be moved from ${from} to ${to}`);
      return 0;
    }
    const moves = app.get(FilesMover, { strict: false }).run({ from, to, filters, signal, ...limits });
    const progress = out.progress('moved', total);
    let failed = 0;
    try {
      for await (const outcome of moves) {
        const { id, name } = outcome.file;
        if (outcome.kind === 'failed') {
          failed++;
          progress.clear();
          await out.result(
            { kind: outcome.kind, id, name, problem: String(outcome.error) },
            `failed: ${id} ${name}: ${String(outcome.error)}`,
          );
        } else progress.tick();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    progress.end();
    if (signal.aborted) throw new InterruptedError('Interrupted. Run the same command again to go on.');
    if (failed > 0) out.note(`${failed} could not be moved, and are where they were`);
    return failed === 0 ? 0 : 1;
  },
};
