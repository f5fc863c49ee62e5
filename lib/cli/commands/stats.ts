import { Transactor } from '../../unit-of-work/transactor.js';
import type { Command } from '../command.js';
import { groupsOf } from '../file-totals.js';
import type { Group } from '../file-totals.js';
import { columns, sizeText } from '../output.js';
import { countIn } from '../values.js';

export const stats: Command = {
  name: 'stats',
  summary: 'Counts files and bytes by storage, by type of owner and by content type, and names the biggest owners',
  example: 'nestjs-files stats --owners 20',
  options: { owners: { kind: 'count', help: 'how many of the biggest owners to name (10)' } },
  async run({ app, options, out }) {
    const { dataSource } = app.get(Transactor, { strict: false });
    const parts = [
      ['storage', await groupsOf(dataSource, ['storage'])],
      ['ownerType', await groupsOf(dataSource, ['ownerType'])],
      ['contentType', await groupsOf(dataSource, ['contentType'])],
      ['owner', await groupsOf(dataSource, ['ownerType', 'ownerId'], countIn(options, 'owners') ?? 10)],
    ] as const;
    for (const [name, groups] of parts) {
      const lines = columns(groups.map((group) => [nameOf(group), `${group.files} files`, sizeText(group.bytes)]));
      const title = `By ${TITLES[name]}:`;
      for (const [at, { by, files, bytes }] of groups.entries()) {
        await out.result({ group: name, ...by, files, bytes }, `${at === 0 ? `${title}\n` : ''}  ${lines[at]}`);
      }
    }
    return 0;
  },
};

const TITLES = { storage: 'storage', ownerType: 'type of owner', contentType: 'content type', owner: 'owner' };

function nameOf({ by }: Group): string {
  const values = Object.values(by).filter((value) => value !== null);
  return values.length === 0 ? '(no owner)' : values.join(':');
}
