import { join } from 'node:path';
import type { DataSourceOptions } from 'typeorm';
import { ManagedFile } from '../../lib/files/managed-file.entity.js';
import { uuidV7 } from '../../lib/files/file-id.js';
import type { OpenDatabase, TestDatabase } from '../support/databases.js';
import { insertFile } from '../support/ownership-databases.js';
import { expectOwnership } from '../support/ownership-agreement.js';
import { Folder, Page, RACE_ENTITIES } from './race-app.js';
import type { RaceProcesses } from './race-process.js';

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

interface Message {
  readonly user?: string;
  readonly meeting?: string;
  readonly json?: unknown;
  readonly bytes?: string;
}

/** Two processes of the application on one database, and a look at what they made of it. */
export class RaceWorld {
  #turn = 0;

  private constructor(
    private readonly database: OpenDatabase,
    private readonly urls: readonly string[],
  ) {}

  static async open(kind: TestDatabase, processes: RaceProcesses, directory: string): Promise<RaceWorld> {
    const database = await kind.open({ entities: RACE_ENTITIES });
    const { synchronize, ...options } = database.dataSource.options;
    const plain = Object.fromEntries(
      Object.entries(options).filter(([, value]) => ['string', 'number'].includes(typeof value)),
    ) as unknown as DataSourceOptions;
    const root = join(directory, `storage-${uuidV7()}`);
    return new RaceWorld(database, await processes.serve({ database: plain, root }));
  }

  /** Sends a request to the one process and to the other by turns. */
  async send(method: string, path: string, { user = 'anna', meeting, json, bytes }: Message = {}): Promise<Answer> {
    const headers: Record<string, string> = { 'x-user': user };
    if (meeting !== undefined) headers['x-meeting'] = meeting;
    if (json !== undefined) headers['content-type'] = 'application/json';
    if (bytes !== undefined) headers['content-type'] = 'application/octet-stream';
    const body = json === undefined ? bytes : JSON.stringify(json);
    const url = this.urls[this.#turn++ % this.urls.length];
    const response = await fetch(`${url}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
    const text = await response.text();
    return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  }

  /** A file of a user's, without bytes. */
  file(owner: { ownerType: string; ownerId: string } = { ownerType: 'user', ownerId: 'anna' }): Promise<string> {
    return insertFile(this.database.dataSource, owner);
  }

  /** A file of anna's, with bytes. */
  async upload(content: string): Promise<string> {
    const form = new FormData();
    form.append('file', new Blob([content]), 'a.txt');
    const headers = { 'x-user': 'anna' };
    const response = await fetch(`${this.urls[0]}/files`, { method: 'POST', headers, body: form });
    if (response.status !== 201) throw new Error(`The upload was answered with ${response.status}`);
    return ((await response.json()) as { id: string }).id;
  }

  async folder(): Promise<string> {
    const { id } = await this.database.dataSource.getRepository(Folder).save({ fileId: null });
    return String(id);
  }

  hasFolder(id: string): Promise<boolean> {
    return this.database.dataSource.getRepository(Folder).existsBy({ id: Number(id) });
  }

  find(id: string): Promise<ManagedFile | null> {
    return this.database.dataSource.getRepository(ManagedFile).findOneBy({ id });
  }

  /** Records, files, their history and what is counted of them agree. */
  async expectAgreement(): Promise<void> {
    const { dataSource } = this.database;
    const pages = await dataSource.getRepository(Page).find();
    const folders = await dataSource.getRepository(Folder).find();
    await expectOwnership(
      dataSource,
      ['page', 'folder'],
      [
        ...pages.map(({ id, fileIds }) => ({ ownerType: 'page', ownerId: String(id), fileIds })),
        ...folders.map(({ id, fileId }) => ({
          ownerType: 'folder',
          ownerId: String(id),
          fileIds: fileId === null ? [] : [fileId],
        })),
      ],
    );
  }

  close(): Promise<void> {
    return this.database.close();
  }
}

/** Runs the rounds, some of them at once; gives their answers. */
export async function storm<T>(rounds: number, width: number, run: (round: number) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < rounds) answers.push(await run(next++));
  };
  const ends = await Promise.allSettled(Array.from({ length: width }, worker));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return answers;
}
