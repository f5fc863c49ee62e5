import { ByteRemovals } from '../../files/content/byte-removals.js';
import { FilesDrafts } from '../../files/drafts/files-drafts.js';
import type { DraftsReport } from '../../files/drafts/files-drafts.js';
import { toPublicFile } from '../../files/public-file.js';
import { type Command, UsageError } from '../command.js';
import { sizeText } from '../output.js';
import { countIn } from '../values.js';

export const expire: Command = {
  name: 'expire',
  summary: 'Deletes expired drafts (uploads that were never attached) without waiting for the sweeper',
  example: 'nestjs-files expire --dry-run',
  options: {
    'dry-run': { kind: 'flag', help: 'only list the drafts' },
    limit: { kind: 'count', help: 'with --dry-run: how many to list (1000)' },
  },
  async run({ app, options, out, signal }) {
    const drafts = app.get(FilesDrafts, { strict: false });
    if (!drafts.areOn)
      throw new UsageError(
        "FilesModule has no option drafts, so no upload expires. Set it, for example drafts: { expireAfter: '7d' }.",
      );
    signal.throwIfAborted();
    if (options['dry-run']) {
      const limit = countIn(options, 'limit') ?? 1_000;
      const due = await drafts.preview({ limit: limit + 1 });
      for (const file of due.slice(0, limit)) {
        const { id, ownerType, ownerId, size, name, expiresAt } = file;
        const text = `${id}  ${ownerType}:${ownerId}  ${sizeText(size)}  expired ${expiresAt?.toISOString()}  ${name}`;
        await out.result(toPublicFile(file), text);
      }
      if (due.length > limit) out.note(`There are more than ${limit}. --limit lists more.`);
      return 0;
    }
    const progress = out.progress('expired', await drafts.count());
    const onProgress = (done: DraftsReport): void => progress.reach(done.expired + done.kept);
    const removals = app.get(ByteRemovals, { strict: false });
    const { result: report, left } = await removals.watch(() => drafts.expire({ signal, onProgress }));
    progress.end();
    const { expired, bytes, kept } = report;
    const rest = left.length > 0 ? `; the bytes of ${left.length} are left to the sweeper` : '';
    await out.result(
      { ...report, left: left.length },
      `${expired} deleted, ${sizeText(bytes)}, ${kept} kept because a row refers to them${rest}`,
    );
    return left.length === 0 ? 0 : 1;
  },
};
