import type { INestApplicationContext } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import type { OwnerReference } from '../../files/owner-reference.js';
import { ByteRemovals } from '../../files/content/byte-removals.js';
import { FilesService } from '../../files/files.service.js';
import { ManagedFile } from '../../files/managed-file.entity.js';
import { toPublicFile } from '../../files/public-file.js';
import { eachFile } from '../../files/search/each-file.js';
import { FileUpload } from '../../files/uploads/file-upload.entity.js';
import { FileTransfer } from '../../ownership/file-transfer.entity.js';
import { FileUsage } from '../../ownership/quotas/file-usage.entity.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { type Command, type CommandRun, InterruptedError } from '../command.js';
import { inHalves } from '../in-halves.js';
import { inPages } from '../in-pages.js';
import { jobsNaming } from '../jobs-naming.js';
import { sizeText } from '../output.js';
import { readOwner } from '../values.js';

/** Replaces the id of an erased owner in the history. */
const ERASED = 'erased';

/** So many are deleted in one commit. */
const FILES_IN_BATCH = 1_000;

export const erase: Command = {
  name: 'erase',
  args: 'TYPE:ID',
  takes: 1,
  summary: 'Tells what is stored of a person; deletes their files, and takes them out of the history',
  example: 'nestjs-files erase user:42 --delete --anonymise',
  options: {
    delete: { kind: 'flag', help: 'delete the files that they own, pinned ones included' },
    anonymise: { kind: 'flag', help: 'replace them in the history of all files' },
    'dry-run': { kind: 'flag', help: 'tell what there is, and change nothing, as without --delete and --anonymise' },
  },
  async run({ app, args: [person = ''], options, out, signal }) {
    const owner = readOwner(person, 'TYPE:ID');
    const { dataSource } = app.get(Transactor, { strict: false });
    const isDry = options['dry-run'] === true;
    const [deletes, anonymises] = [!isDry && options['delete'] === true, !isDry && options['anonymise'] === true];
    const removals = app.get(ByteRemovals, { strict: false });
    const told = await removals.watch(() => tellFiles({ app, out, signal }, owner, deletes));
    let left = told.result + told.left.length;
    if (told.left.length > 0)
      await out.result(
        { kind: 'bytes', count: told.left.length },
        `the bytes of ${told.left.length} deleted files could not be removed yet, and are left to the sweeper`,
      );
    const uploads = await openUploads(dataSource, owner);
    if (uploads > 0)
      await out.result({ kind: 'uploads', count: uploads }, `${uploads} direct uploads, which end when they expire`);
    for await (const { id, name, state } of jobsNaming(dataSource, owner.id)) {
      left++;
      const text = `job ${id}  ${name}, ${state}: its payload or key has the value ${JSON.stringify(owner.id)}`;
      await out.result({ kind: 'job', id, name, state }, text);
    }
    const entries = await historyOf(app, owner, anonymises);
    const history = { kind: 'history', count: entries, anonymised: anonymises };
    if (entries > 0) await out.result(history, `${entries} entries in the history${ending(anonymises)}`);
    if (deletes) await forgetUsage(dataSource, owner);
    left += uploads + (anonymises ? 0 : entries);
    out.note(left === 0 ? 'Nothing is left' : 'Some of it is left');
    return left === 0 ? 0 : 1;
  },
};

/**
 * Tells the files of the owner, which are deleted if that is asked for. Resolves with the number of those that are
 * left.
 */
async function tellFiles(
  { app, out, signal }: Pick<CommandRun, 'app' | 'out' | 'signal'>,
  owner: OwnerReference,
  deletes: boolean,
): Promise<number> {
  const files = app.get(FilesService, { strict: false });
  const { dataSource } = app.get(Transactor, { strict: false });
  const progress = out.progress(
    deletes ? 'deleted' : 'listed',
    await dataSource.getRepository(ManagedFile).countBy(filesOf(owner)),
  );
  let left = 0;
  for await (const some of inPages(eachFile(dataSource, { owner }), FILES_IN_BATCH)) {
    if (signal.aborted) throw new InterruptedError('Interrupted. Run the same command again to go on.');
    const problems = deletes ? await deleted(files, some) : new Map<string, string>();
    for (const file of some) {
      const problem = problems.get(file.id);
      if (!deletes || problem !== undefined) left++;
      const done = deletes ? outcomeOf(problem) : {};
      await out.result({ kind: 'file', ...toPublicFile(file), ...done }, textOf(file, problem));
      progress.tick();
    }
  }
  progress.end();
  return left;
}

function filesOf({ type, id }: OwnerReference): { ownerType: string; ownerId: string } {
  return { ownerType: type, ownerId: id };
}

function ending(isAnonymised: boolean): string {
  return isAnonymised ? ', anonymised' : '';
}

function outcomeOf(problem: string | undefined): { deleted: boolean; problem: string | null } {
  return { deleted: problem === undefined, problem: problem ?? null };
}

function textOf({ id, size, name }: ManagedFile, problem: string | undefined): string {
  return `file ${id}  ${sizeText(size)}  ${name}${problem === undefined ? '' : `  not deleted: ${problem}`}`;
}

/** Deletes the files, and returns why some could not be deleted: for example because a record still names them. */
async function deleted(files: FilesService, some: readonly ManagedFile[]): Promise<Map<string, string>> {
  const problems = new Map<string, string>();
  await inHalves(
    some,
    (half) =>
      files.deleteAll(
        half.map(({ id }) => id),
        { force: true },
      ),
    async ({ id }, error) => void problems.set(id, (error as Error).message),
  );
  return problems;
}

/** Removes the row that counts the person's files for a quota, if it counts none. */
async function forgetUsage(dataSource: DataSource, { type, id }: OwnerReference): Promise<void> {
  await dataSource.getRepository(FileUsage).delete({ ownerType: type, ownerId: id, bytes: 0, count: 0 });
}

function openUploads(dataSource: DataSource, { type, id }: OwnerReference): Promise<number> {
  const uploads = dataSource.getRepository(FileUpload);
  return uploads.countBy([
    { ownerType: type, ownerId: id },
    { actorType: type, actorId: id },
  ]);
}

/** How many lines of the history name them. */
async function historyOf(
  app: INestApplicationContext,
  { type, id }: OwnerReference,
  replace: boolean,
): Promise<number> {
  const transactor = app.get(Transactor, { strict: false });
  return transactor.run(async ({ manager }) => {
    const history = manager.getRepository(FileTransfer);
    const [from, to, by] = [
      { fromType: type, fromId: id },
      { toType: type, toId: id },
      { actorType: type, actorId: id },
    ];
    const count = await history.countBy([from, to, by]);
    if (!replace || count === 0) return count;
    await history.update(from, { fromId: ERASED });
    await history.update(to, { toId: ERASED });
    await history.update(by, { actorType: null, actorId: null });
    return count;
  });
}
