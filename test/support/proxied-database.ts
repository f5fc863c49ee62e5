import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import type { OpenDatabase, OpenOptions, TestDatabase } from './databases.js';
import { tcpProxy } from './tcp-proxy.js';
import type { TcpProxy } from './tcp-proxy.js';

/** A database on a server whose application's connections go through a proxy; what others see does not. */
export interface ProxiedDatabase extends OpenDatabase {
  readonly proxy: TcpProxy;
}

/** The same kind of database, behind a proxy. */
export function proxied(kind: TestDatabase): Omit<TestDatabase, 'open'> & {
  open(options: OpenOptions): Promise<ProxiedDatabase>;
} {
  const open = async (options: OpenOptions): Promise<ProxiedDatabase> => {
    const direct = await kind.open(options);
    const target = direct.dataSource.options as DataSourceOptions & { host: string; port: number };
    const proxy = await tcpProxy(kind.kind === 'postgres' ? 'postgres' : 'mariadb', target);
    const behind = { ...target, host: '127.0.0.1', port: proxy.port, synchronize: false } as DataSourceOptions;
    const dataSource = await new DataSource(behind).initialize();
    return {
      ...direct,
      dataSource,
      proxy,
      close: async () => {
        if (dataSource.isInitialized) await dataSource.destroy();
        await proxy.close();
        await direct.close();
      },
    };
  };
  return { ...kind, open };
}
