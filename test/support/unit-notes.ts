import type { DataSource, Repository } from 'typeorm';
import { Transactor } from '../../lib/unit-of-work/transactor.js';
import type { OpenDatabase, OpenOptions, TestDatabase } from './databases.js';
import { gate } from './gate.js';
import { Note } from './unit-entities.js';

/** An application whose records are notes. */
export interface NotesApp {
  readonly database: OpenDatabase;
  readonly dataSource: DataSource;
  readonly transactor: Transactor;
  /** What was injected at boot. */
  readonly notes: Repository<Note>;
  /** Inserts a note through the injected repository. */
  write(id: string): Promise<unknown>;
  /** The ids of the notes that others see. */
  saved(): Promise<string[]>;
  /** Deletes all notes. */
  clear(): Promise<unknown>;
}

export async function openNotes(kind: TestDatabase, options: Partial<OpenOptions> = {}): Promise<NotesApp> {
  const database = await kind.open({ entities: [Note], ...options });
  return appOn(database.dataSource, database);
}

/** The same application in one more place: another data source on the same database. */
export function appOn(dataSource: DataSource, database: OpenDatabase): NotesApp {
  const transactor = new Transactor(dataSource);
  const notes = dataSource.getRepository(Note);
  return {
    database,
    dataSource,
    transactor,
    notes,
    write: (id) => notes.insert({ id }),
    saved: async () => {
      const rows = await database.read('SELECT id FROM note ORDER BY id');
      return rows.map(({ id }) => String(id));
    },
    clear: () => dataSource.query('DELETE FROM note'),
  };
}

/** Starts units that hold a connection each, and gives what they wait for. */
export async function holdConnections(app: NotesApp, count: number) {
  const [all, end] = [gate(), gate()];
  const undone: number[] = [];
  let holding = 0;
  const units = Array.from({ length: count }, (_, at) =>
    app.transactor.run(async (unit) => {
      unit.afterRollback(() => undone.push(at));
      await app.write(`held ${at}`);
      if (++holding === count) all.open();
      await end.opened;
      await app.write(`late ${at}`);
    }),
  );
  const ends = Promise.allSettled(units);
  await all.opened;
  return { end, ends, undone };
}
