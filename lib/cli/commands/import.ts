import { type Answer, type Command, type CommandRun, UsageError } from '../command.js';
import { importColumn } from '../import-column.js';
import { importDirectory } from '../import-directory.js';
import { importList } from '../import-list.js';

export const importFiles: Command = {
  name: 'import',
  args: '[DIR]',
  takes: 1,
  takesAtLeast: 0,
  summary:
    'Creates a file for each one below a directory, for each path in a column of a class, or for each line of a list',
  example: 'nestjs-files import /var/old-files --storage archive --owner user:42',
  options: {
    storage: {
      kind: 'text',
      value: 'NAME',
      help: 'the storage of the files. Without DIR, the paths are locations of bytes that are already in this storage',
    },
    owner: { kind: 'text', value: 'TYPE:ID', help: 'the owner of the files below DIR; without it they have none' },
    'owner-by-folder': {
      kind: 'text',
      value: 'TYPE',
      help: 'the first folder below DIR is the id of an owner of this type, who gets the files in it',
    },
    'from-column': {
      kind: 'text',
      value: 'CLASS.PROPERTY',
      help: 'the property that contains the paths, such as Package.path; the records own the files',
    },
    field: { kind: 'text', value: 'PROPERTY', help: 'with --from-column: the @FileField() for the id of the file' },
    list: {
      kind: 'text',
      value: 'FILE',
      help: 'a file with one JSON object a line, with a location in --storage, and its name, content_type, owner_type, owner_id, pinned, size and old id',
    },
    batch: { kind: 'count', help: 'how many files are created in one commit (100)' },
    concurrency: { kind: 'count', help: 'how many files are read side by side (4)' },
    'dry-run': { kind: 'flag', help: 'change nothing' },
  },
  run: (run) => sourceOf(run)(run),
};

/** What each source cannot be together with. */
const OTHERS = {
  '--list': ['from-column', 'field', 'owner', 'owner-by-folder'],
  '--from-column': ['owner', 'owner-by-folder'],
  DIR: ['field'],
} as const;

function sourceOf({ options, args: [directory] }: CommandRun): (run: CommandRun) => Promise<Answer> {
  const refuse = (source: keyof typeof OTHERS): void => {
    const other = OTHERS[source].find((name) => options[name] !== undefined);
    if (other !== undefined) throw new UsageError(`${source} and --${other} cannot be combined.`);
  };
  if (options['list'] !== undefined) {
    if (directory !== undefined) throw new UsageError('--list and DIR cannot be combined.');
    refuse('--list');
    return importList;
  }
  if (options['from-column'] !== undefined) {
    refuse('--from-column');
    return (run) => importColumn(run, directory);
  }
  if (directory === undefined) throw new UsageError('Give a DIR, --from-column or --list.');
  refuse('DIR');
  return (run) => importDirectory(run, directory);
}
