import { pipeline } from 'node:stream/promises';
import { FilesService } from '../../files/files.service.js';
import type { ByteRange } from '../../storage/storage-adapter.js';
import { type Command, type OptionValues, UsageError } from '../command.js';
import { textIn } from '../values.js';

export const cat: Command = {
  name: 'cat',
  args: 'ID',
  takes: 1,
  summary: 'Writes the bytes of a file to the standard output',
  example: 'nestjs-files cat 0190c8a0-7d2b-7c3f-9a51-3f2f6f0f3a55 --range 0-99 > head.bin',
  options: {
    range: { kind: 'text', value: 'FIRST-LAST', help: 'only these bytes; the first one is 0' },
    quarantined: { kind: 'flag', help: 'also if its scanner has not found it clean' },
  },
  async run({ app, args: [id = ''], options, out, signal }) {
    const content = await app
      .get(FilesService, { strict: false })
      .stream(id, rangeOf(options), { quarantined: options['quarantined'] === true });
    // The standard output stays open for what comes after.
    await pipeline(content, out.bytes, { end: false, signal });
    return 0;
  },
};

function rangeOf(options: OptionValues): ByteRange | undefined {
  const text = textIn(options, 'range');
  if (text === undefined) return undefined;
  const [, start, end] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  if (start === undefined || end === undefined || Number(end) < Number(start))
    throw new UsageError(`--range is "${text}", and must be two positions, such as 0-99.`);
  return { start: Number(start), end: Number(end) };
}
