import type { DataSource } from 'typeorm';
import type { OwnerReference } from '../../files/owner-reference.js';
import { FileUsage } from '../../ownership/quotas/file-usage.entity.js';
import { Quotas } from '../../ownership/quotas/quotas.js';
import { countedUsage, recordedUsage } from '../../ownership/quotas/usage.js';
import type { Amount, Recount } from '../../ownership/quotas/usage.js';
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
    const transactor = app.get(Transactor, { strict: false });
    const { dataSource } = transactor;
    const quotas = app.get(Quotas, { strict: false });
    const isDry = options['dry-run'] === true;
    const progress = out.progress('compared');
    let differ = 0;
    for await (const row of recordedRows(dataSource, ownerIn(options, 'owner'))) {
      if (signal.aborted) {
        progress.end();
        throw new InterruptedError('Interrupted. Run the same command again to go on.');
      }
      const { ownerType, ownerId } = row;
      const owner = { type: ownerType, id: ownerId };
      const differs =
        !agree(row, await countedUsage(dataSource.manager, owner)) && (await differenceOf(transactor, owner));
      progress.tick();
      if (!differs) continue;
      const { recorded, counted } = isDry ? differs : await quotas.rebuild(owner);
      if (agree(recorded, counted)) continue;
      differ++;
      await out.result(
        { ownerType, ownerId, recorded, counted, rebuilt: !isDry },
        `${ownerType}:${ownerId}  ${recorded.count} files, ${sizeText(recorded.bytes)} recorded  ${counted.count} files, ${sizeText(counted.bytes)} counted`,
      );
    }
    progress.end();
    out.note(`${differ} differed${differ > 0 && !isDry ? ', and were counted again' : ''}`);
    return differ > 0 && isDry ? 1 : 0;
  },
};

/**
 * How the owner's row and its files differ, both as of one moment; undefined where they agree. A row that was read
 * earlier differs from files that came or went since.
 */
async function differenceOf(transactor: Transactor, owner: OwnerReference): Promise<Recount | undefined> {
  return transactor.run(
    async ({ manager }) => {
      const row = await recordedUsage(manager, owner);
      const counted = await countedUsage(manager, owner);
      if (!row || agree(row, counted)) return undefined;
      return { recorded: { bytes: row.bytes, count: row.count }, counted };
    },
    { isolationLevel: 'REPEATABLE READ' },
  );
}

function agree(one: Amount, other: Amount): boolean {
  return one.bytes === other.bytes && one.count === other.count;
}

/** The rows of usage, in the order of their keys, page by page. Owners without a row are counted when one is needed. */
async function* recordedRows(dataSource: DataSource, owner?: OwnerReference): AsyncGenerator<FileUsage, void> {
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
