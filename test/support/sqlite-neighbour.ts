import { type ChildProcess, spawn } from 'node:child_process';
import { on, once } from 'node:events';

const SCRIPT = `
  const db = require('better-sqlite3')(process.argv[1]);
  const commit = () => {
    db.exec('COMMIT');
    process.send('done');
  };
  process.on('message', ({ id, hold, patience }) => {
    if (id === undefined) return commit();
    db.pragma('busy_timeout = ' + patience);
    try {
      db.exec('BEGIN IMMEDIATE');
    } catch (error) {
      return process.send(error.code);
    }
    process.send('writing');
    db.prepare('INSERT INTO note (id) VALUES (?)').run(id);
    if (hold !== 'until told') setTimeout(commit, hold);
  });
  process.send('ready');`;

interface WriteOptions {
  hold?: number | 'until told';
  patience?: number;
}

/** Another process that writes notes to the same SQLite file. */
export class SqliteNeighbour {
  // Keeps the answers that come before they are asked for.
  readonly #answers: AsyncIterator<unknown[]>;

  private constructor(private readonly process: ChildProcess) {
    this.#answers = on(process, 'message') as AsyncIterator<unknown[]>;
  }

  static async start(path: string): Promise<SqliteNeighbour> {
    const neighbour = new SqliteNeighbour(
      spawn(process.execPath, ['-e', SCRIPT, path], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
    );
    await neighbour.#answer();
    return neighbour;
  }

  /**
   * Tries to write a note; resolves with 'writing' when it holds the write lock, else with SQLite's refusal. It commits
   * after so many milliseconds.
   */
  async write(id: string, { hold = 0, patience = 5_000 }: WriteOptions = {}): Promise<string> {
    this.process.send({ id, hold, patience });
    return this.#answer();
  }

  /** Resolves when the note that is being written is committed. */
  async committed(): Promise<void> {
    await this.#answer();
  }

  /** Commits the note that is held until it is told to. */
  async commit(): Promise<void> {
    this.process.send({});
    await this.committed();
  }

  async stop(): Promise<void> {
    const exited = once(this.process, 'exit');
    this.process.disconnect();
    await exited;
  }

  async #answer(): Promise<string> {
    const { value } = (await this.#answers.next()) as { value: unknown[] };
    return String(value[0]);
  }
}
