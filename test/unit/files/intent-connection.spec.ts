import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { IntentConnection } from '../../../lib/files/intents/intent-connection.js';
import { connectionsOf } from '../../support/connections-at-rest.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';

Logger.overrideLogger(false);

const shuttingDown = { code: 'FILES_SHUTTING_DOWN' };

describe.each(await reachableDatabases('postgres', 'mariadb'))('the connection for intents on $name', (kind) => {
  /** A connection to a server that accepts, and answers only once the gate is open. */
  async function start() {
    const database = await kind.open({ entities: [] });
    const target = database.dataSource.options as DataSourceOptions & { host: string; port: number };
    await database.dataSource.destroy();
    const [came, answers] = [gate(), gate()];
    const server = createServer((client) => {
      came.open();
      void answers.opened.then(() => {
        const upstream = connect(target.port, target.host);
        for (const socket of [client, upstream]) socket.on('error', () => undefined);
        client.pipe(upstream).pipe(client);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(async () => {
      answers.open();
      await new Promise((resolve) => server.close(resolve));
      await database.close();
    });
    const { port } = server.address() as AddressInfo;
    const behind = new DataSource({ ...target, host: '127.0.0.1', port } as DataSourceOptions);
    const connection = new IntentConnection(behind, 20);
    return { connection, came, answers, connections: () => connectionsOf(kind.kind, database) };
  }

  it('closes while it is being opened, and leaves nothing open once the server answers', async () => {
    const { connection, came, answers, connections } = await start();
    const opened = connection.open().catch((error: unknown) => error);
    await came.opened;
    await connection.close();
    expect(await connections()).toBe(0);
    answers.open();
    expect(await opened).toMatchObject(shuttingDown);
    await expect.poll(connections).toBe(0);
  });

  it('closes where its end fails, and refuses to open again', async () => {
    const { connection, answers, connections } = await start();
    answers.open();
    const opened = await connection.open();
    const { driver } = opened;
    const disconnect = driver.disconnect.bind(driver);
    vi.spyOn(driver, 'disconnect').mockImplementation(async () => {
      await disconnect();
      throw new Error('The socket is gone');
    });
    await connection.close();
    await expect(connection.open()).rejects.toMatchObject(shuttingDown);
    await expect.poll(connections).toBe(0);
  });
});
