import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { DataSourceOptions } from 'typeorm';

/** A port that leads to a server as if it were on another machine. */
export interface FarAway {
  readonly database: DataSourceOptions;
  close(): Promise<void>;
}

/**
 * Delays all that goes to the server of the database and all that comes from it by half of `roundTrip`, in
 * milliseconds. The order stays, because timers of the same length end in the order in which they began.
 */
export async function farAway(database: DataSourceOptions, roundTrip: number): Promise<FarAway> {
  const { host, port = 5432 } = database as { host: string; port?: number };
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host, port, noDelay: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.on('data', (chunk: Buffer) => setTimeout(() => to.writable && to.write(chunk), roundTrip / 2));
      from.on('end', () => setTimeout(() => to.end(), roundTrip / 2));
      from.on('error', () => to.destroy());
      from.on('close', () => open.delete(from));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    database: { ...database, port: (server.address() as AddressInfo).port } as DataSourceOptions,
    close: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
