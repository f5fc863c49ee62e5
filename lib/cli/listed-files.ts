import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { OwnerReference } from '../files/owner-reference.js';
import { UsageError } from './command.js';
import type { BadLine } from './import-missing.js';

/** A line of a list of files. */
export interface ListedFile {
  readonly location: string;
  /** Its id in the system that made the list, if the line has one. */
  readonly oldId: string | null;
  readonly name: string | undefined;
  readonly contentType: string | undefined;
  readonly size: number | undefined;
  readonly owner: OwnerReference | null;
  readonly pinned: boolean;
}

/**
 * The lines of a list: one JSON object each, with the columns of the old table as names. Throws `UsageError` where the
 * list cannot be opened.
 */
export async function* listedFiles(path: string): AsyncGenerator<ListedFile | BadLine, void> {
  // A directory can be opened, and fails when it is read.
  const isDirectory = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isDirectory) throw new UsageError(`--list is "${path}", which is a directory.`);
  const input = createReadStream(path);
  await new Promise<void>((resolve, reject) => {
    input.once('open', () => resolve());
    input.once('error', (cause) => reject(new UsageError(`--list: ${cause.message}`, { cause })));
  });
  let line = 0;
  for await (const text of createInterface({ input, crlfDelay: Infinity })) {
    line++;
    if (text.trim() === '') continue;
    try {
      yield read(JSON.parse(text) as unknown);
    } catch (error) {
      yield { line, problem: (error as Error).message };
    }
  }
}

function read(row: unknown): ListedFile {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) throw new Error('the line is no JSON object');
  const columns = row as Record<string, unknown>;
  const location = textOf(columns, 'location');
  if (location === undefined) throw new Error('the line has no "location"');
  const owner = ownerIn(columns);
  return {
    location,
    oldId: textOf(columns, 'id') ?? null,
    name: textOf(columns, 'name'),
    contentType: textOf(columns, 'content_type'),
    size: sizeIn(columns),
    owner,
    // A pin belongs to an owner.
    pinned: isPinned(columns) && owner !== null,
  };
}

function sizeIn({ size }: Record<string, unknown>): number | undefined {
  if (size === undefined || size === null) return undefined;
  if (typeof size !== 'number') throw new Error('"size" is no number');
  return size;
}

function isPinned({ pinned = null }: Record<string, unknown>): boolean {
  if (typeof pinned !== 'boolean' && pinned !== null) throw new Error('"pinned" is neither true nor false');
  return pinned === true;
}

function ownerIn(columns: Record<string, unknown>): OwnerReference | null {
  const [type, id] = [textOf(columns, 'owner_type'), textOf(columns, 'owner_id')];
  if ((type === undefined) !== (id === undefined)) throw new Error('"owner_type" and "owner_id" belong together');
  return type === undefined || id === undefined ? null : { type, id };
}

function textOf(columns: Record<string, unknown>, name: string): string | undefined {
  const value = columns[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw new Error(`"${name}" is no text`);
  return value;
}
