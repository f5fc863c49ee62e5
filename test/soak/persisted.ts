import type { DataSource } from 'typeorm';
import { ManagedFile } from 'nestjs-files';
import { DirectoryBytes } from '../crash/bytes.js';
import { wrongBytes } from '../crash/portal-state.js';
import type { Row } from '../support/databases.js';
import { NEW_SHELF } from './ledger.js';
import type { FileState, Ledger, ShelfState } from './ledger.js';
import { Shelf } from './soak-app.js';

/** Holds what the clients were told against rows and bytes: in what way these are something else. */
export async function wronglyPersisted(
  dataSource: DataSource,
  root: string,
  ledgers: readonly Ledger[],
): Promise<string[]> {
  const files = await dataSource.getRepository(ManagedFile).find();
  const shelves = await dataSource.getRepository(Shelf).find();
  const told = mergeLedgers(ledgers);
  const newShelves = new Set(shelves.filter(({ label }) => told.maybeLabels.has(label)).map(({ id }) => id));
  const names = new Map(files.map(({ id, name }) => [id, name]));
  const isMaybe = (id: string | null) => id !== null && told.maybeFiles.has(names.get(id) ?? '');
  const rows = (table: string): Promise<Row[]> => dataSource.query(`SELECT * FROM ${table}`);
  return [
    ...files.flatMap((file) => wrongFile(file, told, newShelves)),
    ...shelves.flatMap((shelf) => wrongShelf(shelf, told, isMaybe)),
    ...missing('file', told.files, new Set(names.keys())),
    ...missing('shelf', told.shelves, new Set(shelves.map(({ id }) => id))),
    ...(await wrongBytes(await rows('files_file'), new DirectoryBytes(root))),
    ...(await rows('files_intent')).map((intent) => `an intent is left: ${JSON.stringify(intent)}`),
  ];
}

function mergeLedgers(ledgers: readonly Ledger[]) {
  return {
    files: new Map(ledgers.flatMap(({ files }) => [...files])),
    shelves: new Map(ledgers.flatMap(({ shelves }) => [...shelves])),
    maybeFiles: new Map(ledgers.flatMap(({ maybeFiles }) => [...maybeFiles])),
    maybeLabels: new Set(ledgers.flatMap(({ maybeLabels }) => [...maybeLabels])),
  };
}

type Told = ReturnType<typeof mergeLedgers>;

function wrongFile(file: ManagedFile, { files, maybeFiles }: Told, newShelves: ReadonlySet<string>): string[] {
  const { id, name, ownerType, ownerId, hash, size } = file;
  const states = files.get(id);
  const isNew = ownerType === 'shelf' && newShelves.has(ownerId!);
  const owner = ownerType === null ? 'nobody' : `${ownerType} ${ownerId}`;
  if (!states) {
    const content = maybeFiles.get(name);
    if (content?.sha256 === hash && content.size === size) return [];
    return [`file ${id} "${name}" of ${owner} was never reported`];
  }
  const fits = (state: FileState | undefined): boolean =>
    state !== undefined &&
    (state.owner === owner || (isNew && state.owner === NEW_SHELF)) &&
    state.name === name &&
    state.content.sha256 === hash;
  if (states.some(fits)) return [];
  return [`file ${id} is "${name}" of ${owner}, of ${size} bytes; told was ${JSON.stringify(states)}`];
}

function wrongShelf(
  { id, label, coverId, scanId }: Shelf,
  { shelves, maybeLabels }: Told,
  isMaybe: (fileId: string | null) => boolean,
): string[] {
  const states = shelves.get(id);
  if (!states) return maybeLabels.has(label) ? [] : [`shelf ${id} "${label}" was never reported`];
  // One that was sent with files and without an answer may hold these.
  const holds = (found: string | null, told: string | null) => found === told || (states.length > 1 && isMaybe(found));
  const fits = (state: ShelfState | undefined): boolean =>
    state !== undefined && holds(coverId, state.coverId) && holds(scanId, state.scanId);
  return states.some(fits) ? [] : [`shelf ${id} has ${coverId} and ${scanId}; told was ${JSON.stringify(states)}`];
}

function missing(
  what: string,
  told: ReadonlyMap<string, readonly (object | undefined)[]>,
  there: ReadonlySet<string>,
): string[] {
  return [...told].flatMap(([id, states]) =>
    there.has(id) || states.includes(undefined)
      ? []
      : [`${what} ${id} is not there; told was ${JSON.stringify(states)}`],
  );
}
