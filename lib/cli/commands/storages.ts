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

const PROBED = ['write', 'read', 'remove'] as const;

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
      const check = options['check'] ? await probe(storage) : undefined;
      isFine &&= check?.ok !== false;
      const can = STORAGE_VERBS.filter((verb) => storage.can(verb));
      const lines = [`${name}: ${files} files, ${sizeText(bytes)}`, `  can ${can.join(', ')}`, limitsOf(storage)];
      if (check) lines.push(textOf(check));
      await out.result({ storage: name, can, ...settingsOf(storage), files, bytes, ...check }, lines.join('\n'));
    }
    for (const [name, { files }] of totals) {
      isFine = false;
      out.note(`${files} files are in storage "${name}", which is not configured. Configure it, or move them.`);
    }
    return isFine ? 0 : 1;
  },
};

function settingsOf(storage: Storage) {
  const { maxSize = null, acceptedTypes = null, downloads } = storage;
  return { maxSize, acceptedTypes, downloads };
}

function limitsOf({ acceptedTypes, maxSize }: Storage): string {
  return `  takes ${acceptedTypes?.join(', ') ?? 'all types'}, up to ${maxSize === undefined ? 'any size' : sizeText(maxSize)}`;
}

/** `ok` is null if the storage could not be checked. */
interface Check {
  readonly ok: boolean | null;
  readonly problem: string | null;
}

const CHECKED: Readonly<Record<string, string>> = { true: 'check passed', false: 'check failed', null: 'not checked' };

function textOf({ ok, problem }: Check): string {
  return `  ${CHECKED[String(ok)]}${problem === null ? '' : `: ${problem}`}`;
}

/** Writes, reads and removes a few bytes. */
async function probe(storage: Storage): Promise<Check> {
  const missing = PROBED.filter((verb) => !storage.can(verb));
  if (missing.length > 0) return { ok: null, problem: `the storage cannot ${missing.join(', ')}` };
  const location = `nestjs-files-check-${randomUUID()}`;
  const content = randomBytes(64);
  try {
    await storage.write(location, Readable.from([content], { objectMode: false }));
    try {
      const found = await buffer(await storage.read(location));
      if (!found.equals(content)) return { ok: false, problem: 'the storage returned other bytes than were written' };
      return { ok: true, problem: null };
    } finally {
      await storage.remove(location);
    }
  } catch (error) {
    return { ok: false, problem: (error as Error).message };
  }
}
