import { eachFile } from '../../files/search/each-file.js';
import { toPublicFile } from '../../files/public-file.js';
import type { ManagedFile } from '../../files/managed-file.entity.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import type { Command } from '../command.js';
import { sizeText } from '../output.js';
import { countIn, filterOf, WHICH_FILES } from '../values.js';

export const ls: Command = {
  name: 'ls',
  summary: 'Lists files, in the order of their creation',
  example: 'nestjs-files ls --owner user:42 --type image --larger-than 1MiB',
  options: { ...WHICH_FILES, limit: { kind: 'count', help: 'the largest number of files to list' } },
  async run({ app, options, out, signal }) {
    const { dataSource } = app.get(Transactor, { strict: false });
    const limit = countIn(options, 'limit') ?? Infinity;
    let count = 0;
    for await (const file of eachFile(dataSource, {}, filterOf(options))) {
      if (signal.aborted || count === limit) break;
      count++;
      await out.result(
        {
          ...toPublicFile(file),
          metadata: file.metadata,
          location: file.location,
          ...(file.scan && { finding: file.finding }),
        },
        lineOf(file),
      );
    }
    return 0;
  },
};

function lineOf({ id, size, contentType, storage, createdAt, name, ...file }: ManagedFile): string {
  return [id, createdAt.toISOString(), sizeText(size), contentType, storage, ownerText(file), name].join('  ');
}

/** `user:42`, or a hyphen for no owner. */
export function ownerText({ ownerType, ownerId }: Pick<ManagedFile, 'ownerType' | 'ownerId'>): string {
  return ownerType === null ? '-' : `${ownerType}:${ownerId}`;
}
