import { randomBytes, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import type { Storage } from '../../storage/storage.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { STORAGE_VERBS } from '../../storage/storage-verbs.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import type { Command } from '../command.js';
import { filesByStorage } from '../file-totals.js';
import { sizeText } from '../output.js';

export const storages: Command = {
  name: 'storages',
  summary: 'Lists the storages, their verbs, and their files',
  example: 'nestjs-files storages --check',
  options: { check: { kind: 'flag', help: 'write, read and remove a few bytes in each' } },
  async run({ app, options, out, signal }) {
    const registry = app.get(StorageRegistry, { strict: false });
    const totals = await filesByStorage(app.get(Transactor, { strict: false }).dataSource);
    let isFine = true;
    for (const name of registry.names) {
      if (signal.aborted) break;
      const storage = registry.get(name);
      const { files = 0, bytes = 0 } = totals.get(name) ?? {};
      totals.delete(name);
      const problem = options['check'] ? await probe(storage) : undefined;
      isFine &&= problem === undefined;
      const can = STORAGE_VERBS.filter((verb) => storage.can(verb));
      const { maxSize = null, acceptedTypes = null, downloads } = storage;
      const checked = options['check'] ? { ok: problem === undefined, problem: problem ?? null } : {};
      const lines = [`${name}: ${files} files, ${sizeText(bytes)}`, `  can ${can.join(', ')}`, limitsOf(storage)];
      if (options['check']) lines.push(problem === undefined ? '  check passed' : `  check failed: ${problem}`);
      const result = { storage: name, can, maxSize, acceptedTypes, downloads, files, bytes, ...checked };
      await out.result(result, lines.join('\n'));
    }
    for (const [name, { files }] of totals) {
      isFine = false;
      out.note(`${files} files are in storage "${name}", which is not configured. Configure it, or move them.`);
    }
    return isFine ? 0 : 1;
  },
};

function limitsOf({ acceptedTypes, maxSize }: Storage): string {
  return `  takes ${acceptedTypes?.join(', ') ?? 'all types'}, up to ${maxSize === undefined ? 'any size' : sizeText(maxSize)}`;
}

/** Writes, reads and removes a few bytes; gives the problem, if any. */
async function probe(storage: Storage): Promise<string | undefined> {
  const location = `nestjs-files-check-${randomUUID()}`;
  const content = randomBytes(64);
  if (!storage.can('write', 'read', 'remove')) return undefined;
  try {
    await storage.write(location, Readable.from([content], { objectMode: false }));
    try {
      const found = await buffer(await storage.read(location));
      return found.equals(content) ? undefined : 'it gave other bytes than were written';
    } finally {
      await storage.remove(location);
    }
  } catch (error) {
    return (error as Error).message;
  }
}
