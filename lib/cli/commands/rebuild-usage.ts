import type { DataSource } from 'typeorm';
import type { OwnerReference } from '../../files/owner-reference.js';
import { FileUsage } from '../../ownership/quotas/file-usage.entity.js';
import { Quotas } from '../../ownership/quotas/quotas.js';
import { countedUsage } from '../../ownership/quotas/usage.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { type Command, InterruptedError } from '../command.js';
import { sizeText } from '../output.js';
import { ownerIn } from '../values.js';

const ROWS_PER_PAGE = 500;

export const rebuildUsage: Command = {
  name: 'rebuild-usage',
  summary:
    'Compares the usage that quotas have recorded of owners with their files, and counts it again where it differs',
  example: 'nestjs-files rebuild-usage --dry-run',
  options: {
    owner: { kind: 'text', value: 'TYPE:ID', help: 'only this owner' },
    'dry-run': { kind: 'flag', help: 'change nothing' },
  },
  async run({ app, options, out, signal }) {
    const { dataSource } = app.get(Transactor, { strict: false });
    const quotas = app.get(Quotas, { strict: false });
    const isDry = options['dry-run'] === true;
    const progress = out.progress('compared');
    let differ = 0;
    for await (const row of recorded(dataSource, ownerIn(options, 'owner'))) {
      if (signal.aborted) {
        progress.end();
        throw new InterruptedError('Interrupted. Run the same command again to go on.');
      }
      const { ownerType, ownerId, bytes, count } = row;
      const owner = { type: ownerType, id: ownerId };
      const counted = await countedUsage(dataSource.manager, owner);
      progress.tick();
      if (counted.bytes === bytes && counted.count === count) continue;
      differ++;
      const actual = isDry ? counted : await quotas.recount(owner);
      await out.result(
        { ownerType, ownerId, recorded: { bytes, count }, counted: actual, rebuilt: !isDry },
        `${ownerType}:${ownerId}  ${count} files, ${sizeText(bytes)} recorded  ${actual.count} files, ${sizeText(actual.bytes)} counted`,
      );
    }
    progress.end();
    out.note(`${differ} differed${differ > 0 && !isDry ? ', and were counted again' : ''}`);
    return differ > 0 && isDry ? 1 : 0;
  },
};

/** The rows of usage, in the order of their keys, page by page. Owners without a row are counted when one is needed. */
async function* recorded(dataSource: DataSource, owner?: OwnerReference): AsyncGenerator<FileUsage, void> {
  for (let after: FileUsage | undefined; ;) {
    const query = dataSource.getRepository(FileUsage).createQueryBuilder('usage');
    if (owner) query.where({ ownerType: owner.type, ownerId: owner.id });
    if (after) {
      const { ownerType, ownerId } = after;
      query.andWhere('(usage.ownerType > :ownerType OR (usage.ownerType = :ownerType AND usage.ownerId > :ownerId))', {
        ownerType,
        ownerId,
      });
    }
    query.orderBy('usage.ownerType').addOrderBy('usage.ownerId').limit(ROWS_PER_PAGE);
    const rows = await query.getMany();
    yield* rows;
    after = rows.at(-1);
    if (rows.length < ROWS_PER_PAGE) return;
  }
}
