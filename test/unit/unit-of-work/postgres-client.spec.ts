import type { DataSource } from 'typeorm';
import { describe, expect, it } from 'vitest';
import type { QueryClass } from '../../../lib/unit-of-work/dialects/pg-query.js';
import {
  nameStatement,
  statementName,
  type PgClient,
  PostgresClient,
} from '../../../lib/unit-of-work/dialects/postgres-client.js';

/** A client that sends nothing, and notes what it was given. */
function clientOf(make: object = {}) {
  const sent: unknown[] = [];
  class Query {
    queryMode: string | undefined;
    name: string | undefined;
    constructor(
      readonly text: string,
      readonly values: unknown,
    ) {}
  }
  const client = {
    query: (...query: unknown[]) => {
      const callback = query.findIndex((part) => typeof part === 'function');
      const rest = callback === -1 ? query : query.toSpliced(callback, 1);
      sent.push(rest.length === 1 ? rest[0] : rest);
      if (callback === -1) return Promise.resolve({ command: 'DONE' });
      (query[callback] as (error: null, result: object) => void)(null, { command: 'DONE' });
    },
    connection: { parse: () => undefined, stream: { destroy: () => undefined } },
    constructor: { Query: Query as unknown as QueryClass },
    ...make,
  } as unknown as PgClient;
  return { client, sent };
}

const start = (client: PgClient) => async () => {
  await client.query('START TRANSACTION');
  await client.query('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE');
};

// What servers say to this is tested in begin-with.spec.ts and named-statements.spec.ts.
describe('a client of PostgreSQL', () => {
  const dataSource = {} as DataSource;

  it('holds BEGIN back, and answers in its place', async () => {
    const { client, sent } = clientOf();
    const postgres = PostgresClient.of(dataSource, client);
    const answers: unknown[] = [];
    await postgres.holdBegin(async () => void answers.push(await client.query('START TRANSACTION')));
    expect(sent).toEqual([]);
    expect(answers).toEqual([{ command: 'START TRANSACTION', rowCount: null, rows: [], fields: [] }]);
    await postgres.begin();
    await postgres.begin();
    expect(sent).toEqual(['START TRANSACTION']);
  });

  it('begins with one statement, before one that has no parameters', async () => {
    const { client, sent } = clientOf();
    await PostgresClient.of(dataSource, client).holdBegin(start(client));
    await client.query('SELECT 1', []);
    await client.query('SELECT 2');
    expect(sent).toEqual(['START TRANSACTION ISOLATION LEVEL SERIALIZABLE', ['SELECT 1', []], ['SELECT 2', undefined]]);
  });

  it('holds back neither a BEGIN outside of a unit of work nor another statement', async () => {
    const { client, sent } = clientOf();
    const postgres = PostgresClient.of(dataSource, client);
    await postgres.holdBegin(() => client.query('SELECT 1') as Promise<void>);
    await start(client)();
    const failed = postgres.holdBegin(() => Promise.reject(new Error('no')));
    await expect(failed).rejects.toThrow('no');
    await start(client)();
    const begun = [
      ['START TRANSACTION', undefined],
      ['SET TRANSACTION ISOLATION LEVEL SERIALIZABLE', undefined],
    ];
    expect(sent).toEqual([['SELECT 1', undefined], ...begun, ...begun]);
  });

  it.each([
    ['in a pipeline', { pipeline: true }],
    ['without a class of queries', { constructor: {} }],
    ['without a connection of its own', { connection: undefined }],
    ['of another protocol', { connection: { stream: {} } }],
  ])('begins with one statement, sent at once, %s', async (_, make) => {
    const { client, sent } = clientOf(make);
    const postgres = PostgresClient.of(dataSource, client);
    await postgres.holdBegin(start(client));
    await postgres.begin();
    expect(sent).toEqual(['START TRANSACTION ISOLATION LEVEL SERIALIZABLE']);
  });

  it('is outside of the transaction once BEGIN has failed, until the next one', async () => {
    const refused = new Error('refused');
    const { client } = clientOf({ query: () => Promise.reject(refused) });
    const postgres = PostgresClient.of(dataSource, client);
    await postgres.holdBegin(start(client));
    expect(postgres.isOutside).toBe(false);
    await expect(client.query('SELECT 1')).rejects.toBe(refused);
    expect(postgres.isOutside).toBe(true);
    await postgres.holdBegin(start(client));
    expect(postgres.isOutside).toBe(false);
  });

  it('breaks its connection where BEGIN fails before statements that were written with it', async () => {
    const refused = new Error('refused');
    const broken: unknown[] = [];
    const cursor = { submit: () => undefined };
    const { client } = clientOf({
      query: (query: unknown) => (query === cursor ? cursor : Promise.reject(refused)),
      connection: { parse: () => undefined, stream: { destroy: (error: unknown) => broken.push(error) } },
    });
    await PostgresClient.of(dataSource, client).holdBegin(start(client));
    expect(client.query(cursor)).toBe(cursor);
    await new Promise(setImmediate);
    expect(broken).toEqual([refused]);
  });

  it('names statements that have a name, and passes all others on as they came', async () => {
    const { client, sent } = clientOf();
    PostgresClient.of(dataSource, client);
    const text = nameStatement(dataSource, 'SELECT $1::int');
    const name = statementName(dataSource, text);
    expect(name).toMatch(/^nestjs_files_[0-9a-f]{24}$/);
    const answers: unknown[] = [];
    const callback = (_: unknown, result: unknown): unknown => answers.push(result);
    answers.push(await client.query(text, [1]));
    answers.push(await client.query('SELECT 1', [1]));
    client.query(text, callback);
    client.query(text, [1], callback);
    client.query({ text, values: [1] });
    expect(sent).toEqual([
      [{ name, text, values: [1] }, undefined],
      ['SELECT 1', [1]],
      text,
      [text, [1]],
      [{ text, values: [1] }, undefined],
    ]);
    expect(answers).toEqual(Array.from({ length: 4 }, () => ({ command: 'DONE' })));
  });
});
